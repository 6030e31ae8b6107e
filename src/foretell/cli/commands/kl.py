"""`foretell kl`: how far a model's distributions are from a reference's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from foretell.cli.completion import complete_model
from foretell.cli.evaluating import FILE, WINDOW_OPTIONS, as_reference, opened_for
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


@click.command()
@click.argument("model", metavar="MODEL", shell_complete=complete_model)
@click.argument("reference", metavar="REFERENCE", shell_complete=complete_model)
@with_options(FILE, *WINDOW_OPTIONS, *OPENING_OPTIONS, JSON_OPTION)
def command(
    model: str,
    reference: str,
    file: Path,
    window: int | None,
    max_windows: int | None,
    opening: dict[str, Any],
    as_json: bool,
) -> None:
    """Tell how far a model is from a reference.

    MODEL is held against REFERENCE token by token of the text in FILE. Both have one vocabulary:
    such as a quantized model and what it was made of. Told are the mean Kullback-Leibler divergence
    and its percentiles, how much the probability of the text's tokens moves (Δp), how often the
    likeliest token is the same, and both perplexities, over the second halves of windows of 512
    tokens. Both models run in step, so nothing is stored between.

    The options open MODEL. REFERENCE computes in float32, from its file as it is. With - as FILE,
    the text is read from stdin.

    \b
    Examples:
      foretell kl model-q4_0.gguf model-f16.gguf wiki.test.raw
      foretell kl checkpoint/ checkpoint/ essay.txt --quantize q4
      foretell kl model.gguf model.gguf essay.txt --kv-dtype q8 --json
    """
    from foretell.evaluation.divergence import kl_divergence

    text = read_prompt(None, file)
    chosen = opened_for(ModelChoice(model, opening), window)
    with load(as_reference(reference, chosen)) as other, load(chosen) as llm:
        found = kl_divergence(
            llm, other, text, window=window, max_windows=max_windows, progress=is_watched()
        )
    if as_json:
        echo_json(found.to_dict())
    else:
        click.echo(str(found))
