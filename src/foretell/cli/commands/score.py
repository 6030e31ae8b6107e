"""`foretell score`: how probable a text is, token by token."""

from __future__ import annotations

from pathlib import Path

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
from foretell.cli.render import echo_json, terminal_look
from foretell.outputs import score_lines


@click.command()
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS)
@click.option(
    "--top", type=int, default=0, show_default=True, help="Likeliest tokens to list at each place."
)
@with_options(JSON_OPTION)
def command(
    prompt: str | None,
    file: Path | None,
    parse_special: bool,
    model: ModelChoice,
    top: int,
    as_json: bool,
) -> None:
    """Show how probable the text PROMPT is, token by token.

    The table has the log-probability of each token, then their sum, which is that of the whole text
    by the product rule, and the perplexity. Without a text, or with -, it is read from stdin; one
    newline at its end is not part of it.

    \b
    Examples:
      foretell score "The cat sat on the mat"
      foretell score "The cat sat on the mat" --top 3
      foretell score --file essay.txt --json
    """
    text = read_prompt(prompt, file)
    with load(model) as llm:
        score = llm.score(text, top, parse_special=parse_special)
    if as_json:
        echo_json(score.to_dict())
        return
    for line in score_lines(score, terminal_look()):
        click.echo(line)
