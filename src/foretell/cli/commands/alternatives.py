"""`foretell alternatives`: what else could stand at a position, and where it leads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from foretell.cli.options import (
    JSON_OPTION,
    MODEL_OPTIONS,
    PROMPT_OPTIONS,
    ModelChoice,
    load,
    read_prompt,
    with_options,
)
from foretell.cli.render import echo_view
from foretell.config.defaults import ALTERNATIVES_TOKENS, NUM_ALTERNATIVES


@click.command()
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS)
@click.option(
    "--position",
    type=int,
    help="Which token of PROMPT to replace, counted from 0.  [default: the one after its end]",
)
@click.option(
    "--top", type=int, default=NUM_ALTERNATIVES, show_default=True, help="Tokens to list."
)
@click.option(
    "--max-new-tokens",
    type=int,
    default=ALTERNATIVES_TOKENS,
    show_default=True,
    help="Tokens of each continuation, the first one included.",
)
@with_options(JSON_OPTION)
def command(
    prompt: str | None,
    file: Path | None,
    parse_special: bool,
    model: ModelChoice,
    as_json: bool,
    **wishes: Any,
) -> None:
    """Show likely tokens at one position, and where each leads.

    The position is one of PROMPT or the one after it. Each token comes with its rank, its
    probability, and the text that greedy decoding goes on with from there. An arrow marks the token
    that stands at the position already, if one does. `foretell score` shows how PROMPT is cut into
    tokens.

    \b
    Examples:
      foretell alternatives "The cat sat on the"
      foretell alternatives "The cat sat on the mat" --position 1 --top 8
      foretell alternatives "2 + 2 =" --json | python -m json.tool
    """
    text = read_prompt(prompt, file)
    with load(model) as llm:
        found = llm.alternatives(text, parse_special=parse_special, **wishes)
    echo_view(found, as_json=as_json)
