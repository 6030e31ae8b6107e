"""`foretell explain`: why each token was chosen, stage by stage."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.options import (
    EXPLAIN_OPTIONS,
    JSON_OPTION,
    MODEL_OPTIONS,
    PROMPT_OPTIONS,
    ModelChoice,
    SettingsCommand,
    given,
    load,
    read_prompt,
    with_options,
)
from foretell.cli.render import echo_json, terminal_columns
from foretell.config import GenerationConfig
from foretell.errors import ConfigError
from foretell.outputs import spell_settings
from foretell.utils.display import count
from foretell.utils.files import check_place, write_atomically
from foretell.utils.terminal import is_terminal

if TYPE_CHECKING:
    from foretell.analysis.explain import Explanation


@click.command(cls=SettingsCommand)
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS, *EXPLAIN_OPTIONS)
@click.option("--token", type=int, help="Tell of this token alone, counted from 0, in sentences.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page to this file: tokens shaded by probability, with the story of each.",
)
@with_options(JSON_OPTION)
def command(
    prompt: str | None,
    file: Path | None,
    token: int | None,
    html: Path | None,
    as_json: bool,
    **others: Any,
) -> None:
    """Continue PROMPT, and show why each token was chosen.

    A table for each token: how many tokens each stage left possible, how much of the probability
    these had, the entropy, and what became of the token chosen (first) and of the likeliest others.

    \b
    Examples:
      foretell explain "The cat sat on the" --temperature 0.8 --top-k 50 --top-p 0.9 --seed 7
      foretell explain "The capital of France is" --max-new-tokens 1 --token 0
      foretell explain "Once upon a time" --max-new-tokens 40 --temperature 1 --html why.html
      foretell explain "2 + 2 =" --json | python -m json.tool
    """
    if html is not None and not html.parent.is_dir():
        raise ConfigError(f"the page {str(html)!r} must be a file in a folder that exists")
    if html is not None:
        check_place(html)
    found = _explain(read_prompt(prompt, file), **others)
    if html is not None:
        _write_page(found, html)
    if as_json:
        echo_json(_data(found, token))
    elif token is not None:
        click.echo("\n".join([_tables(found, [token]), "", *_sentences(found.why(token))]))
    elif html is None:
        click.echo(_tables(found, range(len(found.steps))))
    settings = _settings_line(found.output.config, stated={"logprobs"} & given(others).keys())
    click.secho(f"{count(len(found.steps), 'token')}{settings}", err=True, dim=True)


def _tables(found: Explanation, tokens: Iterable[int]) -> str:
    columns = terminal_columns() if is_terminal(sys.stdout) else None
    return "\n\n".join(found.table(token, columns) for token in tokens)


def _sentences(text: str) -> list[str]:
    """The text, in one line or, on a terminal, in lines that fit."""
    lines = [text]
    if is_terminal(sys.stdout):
        from foretell.analysis.compare.tables import wrap

        lines = wrap(text, max(20, min(terminal_columns(), 100) - 2))
    return [f"  {line}" for line in lines]


def _settings_line(config: GenerationConfig, stated: Collection[str]) -> str:
    """The settings in brackets, without those that the command itself makes."""
    unasked = {"trace", "logprobs"}.difference(stated)
    settings = {name: value for name, value in config.as_dict().items() if name not in unasked}
    return f" ({spell_settings(settings)})" if settings else ""


def _explain(text: str, model: ModelChoice, parse_special: bool, **settings: Any) -> Explanation:
    config = GenerationConfig().override(**given(settings))
    watched = is_terminal(sys.stderr)
    with load(model) as llm:
        return llm.explain(text, config, parse_special=parse_special, progress=watched)


def _data(found: Explanation, token: int | None) -> dict[str, Any]:
    if token is None:
        return found.to_dict()
    return {**found.step(token).to_dict(), "why": found.why(token)}


def _write_page(found: Explanation, path: Path) -> None:
    from foretell.analysis.html import page

    write_atomically(path, page(found).encode())
