"""`foretell generate`: continue a prompt, streaming."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.options import (
    JSON_OPTION,
    MODEL_OPTIONS,
    PROMPT_OPTIONS,
    RECEIPT_OPTION,
    SETTING_OPTIONS,
    ModelChoice,
    SettingsCommand,
    given,
    load,
    read_prompt,
    warn,
    with_options,
)
from foretell.cli.render import echo_json, for_stdout, statistics_line
from foretell.config import GenerationConfig
from foretell.config.defaults import TERMINAL_TOKENS, states_length
from foretell.config.settings import SETTINGS
from foretell.errors import SettingWarning
from foretell.receipts import save_receipts
from foretell.utils.files import check_place
from foretell.utils.terminal import is_terminal

if TYPE_CHECKING:
    from foretell.outputs import Chunk, GenerationOutput

MANY_SAMPLES = 10


@click.command(cls=SettingsCommand)
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS, *SETTING_OPTIONS, JSON_OPTION)
@click.option(
    "--no-limit",
    is_flag=True,
    help="Go on until the text ends or the context is full, on a terminal too.",
)
@with_options(RECEIPT_OPTION)
@click.option("-q", "--quiet", is_flag=True, help="No line of statistics on stderr.")
def command(
    prompt: str | None,
    file: Path | None,
    parse_special: bool,
    model: ModelChoice,
    as_json: bool,
    no_limit: bool,
    receipt: Path | None,
    quiet: bool,
    **settings: Any,
) -> None:
    """Continue PROMPT, and print the text as it is written.

    Without a prompt, or with -, it is read from stdin. One newline at the end of a file or of
    stdin is not part of it.

    \b
    Examples:
      foretell generate "The cat sat on the" --max-new-tokens 50
      foretell generate "Once upon a time" --temperature 0.8 --top-k 50 --top-p 0.9 --seed 7
      foretell generate "My favourite animal is the" -n 3 --top-p 0.9 --max-new-tokens 20
      foretell generate "def add(a, b):" --preset code --stop "return" --max-new-tokens 60
      foretell generate "Dear Anna," --temperature 0.9 --min-p 0.1 --logit-bias " the=-2"
      foretell generate --file story.txt --quiet >> story.txt
      foretell generate "Once" --temperature 0.8 --max-new-tokens 200 --receipt receipt.json
      echo "Dear diary," | foretell generate --max-new-tokens 100 --json

    Without sampling settings (temperature, top-k, top-p ...), the likeliest token is taken.
    Several samples (-n) stand under headings, or, with --json, in a list. `foretell guide`
    explains each setting.

    On a terminal a text stops after 256 tokens, if no length is stated; written to a file or a
    pipe, it goes on until it ends or the context is full.
    """
    stated = given(settings)
    _warn_of_many_samples(stated)
    config = GenerationConfig().override(**stated)
    _require_json(config, as_json=as_json, has_receipt=receipt is not None)
    if receipt is not None:
        check_place(receipt)
    length = _default_length(config, no_limit=no_limit)
    text = read_prompt(prompt, file)
    warn(config)
    with load(model) as llm:
        chunks = llm._stream(text, config, {}, parse_special=parse_special, default_length=length)
        outputs = print_json(chunks) if as_json else write_chunks(chunks, config)
        if receipt is not None:
            save_receipts([output.receipt for output in outputs], receipt)
    if not quiet:
        click.secho(statistics_line(outputs), err=True, dim=True)
        if length is not None:
            _tell_of_length(outputs)


def _warn_of_many_samples(stated: dict[str, Any]) -> None:
    """-n is a length in other programs."""
    number = stated.get("num_return_sequences", 1)
    if number > MANY_SAMPLES and "max_new_tokens" not in stated and "max_length" not in stated:
        sentence = f"-n {number} asks for {number} texts: --max-new-tokens is what sets a length"
        warnings.warn(sentence, SettingWarning, stacklevel=2)


def _default_length(config: GenerationConfig, *, no_limit: bool) -> int | None:
    """Most tokens of a text whose settings state no length; None: as many as it comes to."""
    if no_limit and states_length(config):
        context = click.get_current_context()
        raise click.UsageError(
            "--no-limit contradicts the length that is stated: drop one", context
        )
    is_due = is_terminal(sys.stdout) and not (no_limit or states_length(config))
    return TERMINAL_TOKENS if is_due else None


def _tell_of_length(outputs: list[GenerationOutput]) -> None:
    """Say it where a text ended at a length that nobody stated."""
    reasons = [output.stop_reason for output in outputs if output.stop_reason is not None]
    for length in {reason.value for reason in reasons if reason.kind == "max_new_tokens"}:
        click.secho(
            f"stopped after {length} tokens, since no length was stated: "
            "--max-new-tokens sets one, --no-limit goes on",
            err=True,
            dim=True,
        )


def print_json(chunks: Generator[Chunk, None, None]) -> list[GenerationOutput]:
    """Print a prompt's outputs as JSON, one or a list; return them."""
    from foretell.streaming.run import collect_outputs

    outputs = collect_outputs(chunks)
    found = [output.to_dict() for output in outputs]
    echo_json(found if len(found) > 1 else found[0])
    return outputs


def _require_json(config: GenerationConfig, *, as_json: bool, has_receipt: bool) -> None:
    """Raise UsageError if something is to be reported that only JSON, or a receipt, can hold."""
    for name in (name for name, row in SETTINGS.items() if row.needs_json):
        is_kept = as_json or (has_receipt and name == "logprobs")
        if getattr(config, name) not in (None, False) and not is_kept:
            flag = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{flag} needs --json", click.get_current_context())


def write_chunks(
    chunks: Generator[Chunk, None, None], config: GenerationConfig
) -> list[GenerationOutput]:
    """Print a prompt's continuations, each as it comes; return the outputs."""
    writer = SampleWriter(config.num_return_sequences)
    with closing(chunks):
        try:
            for chunk in chunks:
                writer.take(chunk)
        except BaseException:
            writer.break_off()
            raise
        writer.end_line()
    return writer.outputs


class SampleWriter:
    """Prints samples one after another, each as it comes once those before it are complete.

    Where there are several, each has a heading.

    Attributes:
        outputs: of the samples that were printed to their end.
    """

    def __init__(self, number: int) -> None:
        self.outputs: list[GenerationOutput] = []
        self._number = number
        self._waiting: list[list[Chunk]] = [[] for _ in range(number)]
        self._last = ""
        self._print_heading()

    def take(self, chunk: Chunk) -> None:
        """Print a chunk, or keep it until its turn."""
        self._waiting[chunk.index].append(chunk)
        while len(self.outputs) < self._number and self._waiting[len(self.outputs)]:
            self._print(self._waiting[len(self.outputs)].pop(0))

    def end_line(self) -> None:
        """Print a newline, if the last text had none."""
        if not self._last.endswith("\n"):
            click.echo()
        self._last = "\n"

    def break_off(self) -> None:
        """Print a newline where a line was begun."""
        if self._last:
            self.end_line()

    def _print(self, chunk: Chunk) -> None:
        click.echo(for_stdout(chunk.text), nl=False)
        self._last = chunk.text or self._last
        if chunk.output is not None:
            self.outputs.append(chunk.output)
            if len(self.outputs) < self._number:
                self.end_line()
                self._print_heading()

    def _print_heading(self) -> None:
        if self._number > 1:
            click.secho(f"== {len(self.outputs) + 1} of {self._number} ==", bold=True)
            self._last = "\n"
