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
    from foretell.outputs import GenerationOutput


@click.command(cls=SettingsCommand)
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS, *SETTING_OPTIONS, JSON_OPTION)
@click.option("-q", "--quiet", is_flag=True, help="No line of statistics on stderr.")
def command(
    prompt: str | None,
    file: Path | None,
    parse_special: bool,
    model: str,
    threads: int | None,
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
      foretell generate "def add(a, b):" --preset code --stop "return" --max-new-tokens 60
      foretell generate "Dear Anna," --temperature 0.9 --min-p 0.1 --logit-bias " the=-2"
      foretell generate --file story.txt --quiet >> story.txt
      echo "Dear diary," | foretell generate --max-new-tokens 100 --json

    Without sampling settings (temperature, top-k, top-p ...), the likeliest token is taken.
    `foretell guide` explains each setting.
    """
    config = GenerationConfig().override(**given(settings))
    _require_json(config, as_json)
    text = read_prompt(prompt, file)
    warn(config)
    with load(model, threads) as llm:
        if as_json:
            output = llm.generate(text, config, parse_special=parse_special)
            click.echo(json.dumps(output.to_dict(), ensure_ascii=False))
        else:
            output = write_stream(llm, text, config, parse_special)
    if not quiet:
        click.secho(statistics_line(output), err=True, dim=True)


def _require_json(config: GenerationConfig, as_json: bool) -> None:
    """Raise UsageError if something is to be reported that only JSON can hold."""
    for name in ("logprobs", "prompt_logprobs", "trace"):
        if getattr(config, name) not in (None, False) and not as_json:
            flag = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{flag} needs --json", click.get_current_context())


def write_stream(
    llm: LLM, text: str, config: GenerationConfig, parse_special: bool = False
) -> GenerationOutput:
    """Print a continuation as it comes, then a newline if it has none; return the output."""
    last = ""
    with closing(llm.stream(text, config, parse_special=parse_special)) as chunks:
        try:
            for chunk in chunks:
                click.echo(chunk.text, nl=False)
                last = chunk.text or last
        finally:
            if not last.endswith("\n"):
                click.echo()
    return chunk.require_output()
