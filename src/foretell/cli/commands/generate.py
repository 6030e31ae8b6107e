"""`foretell generate`: continue a prompt, streaming."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.options import (
    JSON_OPTION,
    MODEL_OPTIONS,
    PROMPT_OPTIONS,
    SETTING_OPTIONS,
    ModelChoice,
    SettingsCommand,
    given,
    load,
    read_prompt,
    warn,
    with_options,
)
from foretell.cli.render import statistics_line
from foretell.config import GenerationConfig

if TYPE_CHECKING:
    from foretell.llm import LLM
    from foretell.outputs import Chunk, GenerationOutput


@click.command(cls=SettingsCommand)
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS, *SETTING_OPTIONS, JSON_OPTION)
@click.option("-q", "--quiet", is_flag=True, help="No line of statistics on stderr.")
def command(
    prompt: str | None,
    file: Path | None,
    parse_special: bool,
    model: ModelChoice,
    as_json: bool,
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
      echo "Dear diary," | foretell generate --max-new-tokens 100 --json

    Without sampling settings (temperature, top-k, top-p ...), the likeliest token is taken.
    Several samples (-n) stand under headings, or, with --json, in a list. `foretell guide`
    explains each setting.
    """
    from foretell.streaming.run import collect_outputs

    config = GenerationConfig().override(**given(settings))
    _require_json(config, as_json)
    text = read_prompt(prompt, file)
    warn(config)
    with load(model) as llm:
        if as_json:
            outputs = collect_outputs(llm.stream(text, config, parse_special=parse_special))
            found = [output.to_dict() for output in outputs]
            click.echo(json.dumps(found if len(found) > 1 else found[0], ensure_ascii=False))
        else:
            outputs = write_stream(llm, text, config, parse_special)
    if not quiet:
        click.secho(statistics_line(outputs), err=True, dim=True)


def _require_json(config: GenerationConfig, as_json: bool) -> None:
    """Raise UsageError if something is to be reported that only JSON can hold."""
    for name in ("logprobs", "prompt_logprobs", "trace"):
        if getattr(config, name) not in (None, False) and not as_json:
            flag = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{flag} needs --json", click.get_current_context())


def write_stream(
    llm: LLM, text: str, config: GenerationConfig, parse_special: bool = False
) -> list[GenerationOutput]:
    """Print a prompt's continuations, each as it comes; return the outputs."""
    writer = SampleWriter(config.num_return_sequences)
    with closing(llm.stream(text, config, parse_special=parse_special)) as chunks:
        try:
            for chunk in chunks:
                writer.take(chunk)
        finally:
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

    def _print(self, chunk: Chunk) -> None:
        click.echo(chunk.text, nl=False)
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
