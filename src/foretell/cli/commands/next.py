"""`foretell next`: the distribution of the next token, as bars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from foretell.cli.options import (
    JSON_OPTION,
    MODEL_OPTIONS,
    PROMPT_OPTIONS,
    SAMPLING_OPTIONS,
    ModelChoice,
    SettingsCommand,
    given,
    load,
    read_prompt,
    warn,
    with_options,
)
from foretell.cli.render import echo_json, terminal_look
from foretell.config import GenerationConfig
from foretell.config.defaults import NUM_NEXT
from foretell.outputs import distribution_lines


@click.command(cls=SettingsCommand)
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS)
@click.option("--top", type=int, default=NUM_NEXT, show_default=True, help="Tokens to list.")
@with_options(*SAMPLING_OPTIONS, JSON_OPTION)
def command(
    prompt: str | None,
    file: Path | None,
    parse_special: bool,
    model: ModelChoice,
    top: int,
    as_json: bool,
    **settings: Any,
) -> None:
    """Show how probable each token is to follow PROMPT.

    With sampling settings, also what they make of each probability.

    \b
    Examples:
      foretell next "The cat sat on the"
      foretell next "The cat sat on the" --top 20 --temperature 0.8 --top-p 0.9
      foretell next "2 + 2 =" --json | python -m json.tool
    """
    config = GenerationConfig().override(**given(settings))
    text = read_prompt(prompt, file)
    warn(config)
    with load(model) as llm:
        found = llm.next(text, top, config, parse_special=parse_special)
    if as_json:
        echo_json(found.to_dict())
        return
    for line in distribution_lines(found, terminal_look()):
        click.echo(line)
