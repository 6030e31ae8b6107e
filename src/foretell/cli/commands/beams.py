"""`foretell beams`: the tree of a beam search."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretell.analysis.beam_tree.tables import MAX_COLUMNS
from foretell.analysis.pictures import check_plot_path
from foretell.cli.options import (
    BEAMS_OPTIONS,
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
from foretell.cli.render import echo_json, show_settings, terminal_columns
from foretell.config import GenerationConfig
from foretell.config.defaults import NUM_BEAMS
from foretell.utils.display import count
from foretell.utils.terminal import is_terminal

if TYPE_CHECKING:
    from foretell.analysis.beam_tree import BeamTree


@click.command(cls=SettingsCommand)
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS, *BEAMS_OPTIONS)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the tree to this file, .svg or .png.",
)
@with_options(JSON_OPTION)
def command(
    prompt: str | None, file: Path | None, plot: Path | None, as_json: bool, **others: Any
) -> None:
    """Continue PROMPT by beam search, and show the tree.

    Step by step the live beams, and below each the continuations that were considered: the token's
    log-probability, the sum with it, the rank among all of the step's candidates, and what became
    of it: kept as a live beam, finished as a text, or why it fell. The last line below a beam may
    have no rank: its likeliest continuation that was no candidate.

    \b
    Examples:
      foretell beams "The cat sat on the"
      foretell beams "The capital of France is" --num-beams 4 --stop "." --early-stopping on
      foretell beams "Once upon a time" --do-sample --temperature 1.5 --seed 7
      foretell beams "Once upon a time" --num-beams 4 --plot tree.svg
      foretell beams "2 + 2 =" --json | python -m json.tool
    """
    if plot is not None:
        check_plot_path(plot)
    tree = _search(read_prompt(prompt, file), **others)
    try:  # a closed pipe takes no picture away, nor a full disk the tree
        if plot is not None:
            tree.plot(plot)
    finally:
        _show(tree, as_json)


def _show(tree: BeamTree, as_json: bool) -> None:
    if as_json:
        echo_json(tree.to_dict())
    else:
        columns = terminal_columns() if is_terminal(sys.stdout) else MAX_COLUMNS
        click.echo(tree.drawn(columns))
    click.secho(
        f"{count(len(tree.steps), 'step')} ({show_settings(tree.config)})", err=True, dim=True
    )


def _search(text: str, model: ModelChoice, parse_special: bool, **settings: Any) -> BeamTree:
    from foretell.analysis.beam_tree import require_beams

    require_beams(settings["num_beams"])
    config = GenerationConfig().override(**{"num_beams": NUM_BEAMS, **given(settings)})
    watched = is_terminal(sys.stderr)
    with load(model) as llm:
        return llm.beams(text, config, parse_special=parse_special, progress=watched)
