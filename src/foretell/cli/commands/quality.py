"""`foretell quality`: several quantizations of one model, by bytes and by what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretell.analysis.pictures import check_plot_path
from foretell.cli.completion import complete_model
from foretell.cli.evaluating import WINDOW_OPTIONS, as_reference, opened_for
from foretell.cli.options import (
    JSON_OPTION,
    OPENING_OPTIONS,
    ModelChoice,
    load,
    read_prompt,
    with_options,
)
from foretell.cli.render import echo_json
from foretell.utils.progress import is_watched

if TYPE_CHECKING:
    from foretell.llm import LLM


@click.command()
@click.argument("reference", metavar="REFERENCE", shell_complete=complete_model)
@click.argument(
    "models", metavar="MODEL...", nargs=-1, required=True, shell_complete=complete_model
)
@click.option(
    "--file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="The text that all read; with - stdin.",
)
@with_options(*WINDOW_OPTIONS)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw divergence against bytes to this file, .svg or .png.",
)
@with_options(*OPENING_OPTIONS, JSON_OPTION)
def command(
    reference: str,
    models: tuple[str, ...],
    file: Path,
    window: int | None,
    max_windows: int | None,
    plot: Path | None,
    opening: dict[str, Any],
    as_json: bool,
) -> None:
    """Show quality and bytes of several models.

    Each MODEL is held against REFERENCE, and is a line of a table. The models are quantizations of
    one, and REFERENCE is what they were made of. A line has the bytes of weights that a step reads,
    the perplexity, and how far the model is from REFERENCE; see `foretell kl`. One model is open at
    a time, beside the reference.

    \b
    Examples:
      foretell quality model-f16.gguf model-q8_0.gguf model-q4_0.gguf --file wiki.test.raw
      foretell quality model-f16.gguf model-q*.gguf --file essay.txt --plot quality.svg
      foretell quality model-f16.gguf model-q*.gguf --file essay.txt --max-windows 10 --json
    """
    from foretell.evaluation.plot import save_plot
    from foretell.evaluation.quality import quality

    if plot is not None:
        check_plot_path(plot)
    text = read_prompt(None, file)

    def open_model(name: str) -> LLM:
        return load(opened_for(ModelChoice(name, opening), window))

    chosen = opened_for(ModelChoice(reference, opening), window)
    with load(as_reference(reference, chosen)) as llm:
        found = quality(
            llm,
            models,
            text,
            open_model=open_model,
            reference_name=reference,
            window=window,
            max_windows=max_windows,
            progress=is_watched(),
        )
    try:  # a full disk does not take the table away
        if plot is not None:
            save_plot(found, plot)
    finally:
        if as_json:
            echo_json(found.to_dict())
        else:
            click.echo(str(found))
