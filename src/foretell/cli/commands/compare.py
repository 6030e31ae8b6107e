"""`foretell compare`: several strategies over one prompt, side by side."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from foretell.analysis.compare import (
    DEFAULT_STRATEGIES,
    Comparison,
    read_seeds,
    read_strategies,
)
from foretell.analysis.compare.plot import save_plot
from foretell.analysis.compare.tables import comparison_lines
from foretell.analysis.pictures import check_plot_path
from foretell.cli.options import (
    JSON_OPTION,
    MODEL_OPTIONS,
    PROMPT_OPTIONS,
    ModelChoice,
    given,
    load,
    read_prompt,
    with_options,
)
from foretell.cli.render import echo_json, terminal_columns
from foretell.config.defaults import COMPARE_TOKENS, NUM_SEEDS
from foretell.errors import ConfigError
from foretell.utils.quoting import TEXT, quote
from foretell.utils.terminal import is_terminal

SPLIT = re.compile(r",(?=\s*[A-Za-z_][\w-]*\s*=)")  # a comma within a value is part of it


@click.command()
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS)
@click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="NAME:KEY=VALUE,...",
    help="A strategy; may be given several times.  [default: the seven of the textbook]",
)
@click.option(
    "--seeds",
    type=int,
    default=NUM_SEEDS,
    show_default=True,
    help="Runs of each strategy that samples.",
)
@click.option(
    "--max-new-tokens",
    type=int,
    help=f"Most tokens of a run that states none.  [default: {COMPARE_TOKENS}]",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the figures to this file, .svg or .png.",
)
@with_options(JSON_OPTION)
def command(
    prompt: str | None,
    file: Path | None,
    model: ModelChoice,
    settings: tuple[str, ...],
    plot: Path | None,
    as_json: bool,
    max_new_tokens: int | None,
    **wishes: Any,
) -> None:
    """Continue PROMPT by several strategies, side by side.

    A strategy that samples runs once for each of the seeds 0, 1, ...; another runs once. The table
    has means over the runs, of what tells their texts apart; the texts stand below. Values are
    JSON, or plain words. Without a prompt, or with -, it is read from stdin.

    \b
    Examples:
      foretell compare "The cat sat on the"
      foretell compare "Once upon a time" --plot strategies.svg
      foretell compare "Dear diary," --setting calm:temperature=0.3 \\
          --setting wild:temperature=1.5,min_p=0.1 --seeds 5
      foretell compare "def add(" --setting greedy: --setting code:preset=code --json
    """
    strategies = read_settings(settings) or DEFAULT_STRATEGIES
    length = given({"max_new_tokens": max_new_tokens})
    read_strategies(strategies, length)
    read_seeds(wishes["seeds"])
    if plot is not None:
        check_plot_path(plot)
    text = read_prompt(prompt, file)
    with load(model) as llm:
        watched = is_terminal(sys.stderr)
        found = llm.compare(text, strategies, progress=watched, **length, **wishes)
    try:  # a closed pipe takes no picture away, nor a full disk the table
        if plot is not None:
            save_plot(found, plot)
    finally:
        _show(found, as_json)


def read_settings(settings: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Strategies by name, from texts like "name:key=value,key=value"."""
    strategies: dict[str, dict[str, Any]] = {}
    for setting in settings:
        where = f"--setting {quote(setting, TEXT)}"
        name, colon, rest = setting.partition(":")
        name = name.strip()
        if not name or not colon:
            raise ConfigError(f"{where} must look like NAME:KEY=VALUE,KEY=VALUE")
        if name in strategies:
            raise ConfigError(f"{where}: {quote(name)} is named twice, must be once")
        strategies[name] = _read_pairs(where, rest)
    return strategies


def _read_pairs(where: str, text: str) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for pair in SPLIT.split(text) if text.strip() else ():
        key, equals, value = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not key or not equals:
            raise ConfigError(f"{where}: {quote(pair)} must look like KEY=VALUE")
        if key in pairs:
            raise ConfigError(f"{where}: {key} is set twice, must be once")
        pairs[key] = _read_value(value.strip())
    return pairs


def _read_value(text: str) -> Any:
    """A value in JSON, one of Python's three words, or else the text as it stands."""
    words = {"True": True, "False": False, "None": None}
    if text in words:
        return words[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _show(found: Comparison, as_json: bool) -> None:
    if as_json:
        echo_json(found.to_dict())
        return
    for line in comparison_lines(found.results, max(terminal_columns(), 20)):
        click.echo(line)
