"""`foretell generate`: continue a prompt, streaming."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.options import (
    JSON_OPTION,
    LENGTH_OPTIONS,
    MODEL_OPTIONS,
    PROMPT_OPTIONS,
    SAMPLING_OPTIONS,
    given,
    load,
    read_prompt,
    with_options,
)
from foretell.cli.render import statistics_line
from foretell.config import GenerationConfig

if TYPE_CHECKING:
    from foretell.llm import LLM
    from foretell.outputs import GenerationOutput


@click.command()
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS, *LENGTH_OPTIONS, *SAMPLING_OPTIONS, JSON_OPTION)
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
      foretell generate --file story.txt --quiet >> story.txt
      echo "Dear diary," | foretell generate --max-new-tokens 100 --json

    Without sampling settings (temperature, top-k, top-p), the likeliest token is taken.
    """
    if settings["logprobs"] is not None and not as_json:
        raise click.UsageError("--logprobs needs --json", click.get_current_context())
    config = GenerationConfig().override(**given(settings))
    text = read_prompt(prompt, file)
    with load(model, threads) as llm:
        if as_json:
            output = llm.generate(text, config, parse_special=parse_special)
            click.echo(json.dumps(output.to_dict(), ensure_ascii=False))
        else:
            output = write_stream(llm, text, config, parse_special)
    if not quiet:
        click.secho(statistics_line(output), err=True, dim=True)


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
