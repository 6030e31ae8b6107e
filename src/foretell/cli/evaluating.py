"""What the commands that evaluate models share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from foretell.cli.options import ModelChoice

WINDOW = 512

EXACT: dict[str, Any] = {"activations": "float32", "kv_dtype": "float32"}
"""How a model is opened that is to round as little as can be."""

FILE = click.argument(
    "file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True), metavar="FILE"
)

WINDOW_OPTIONS = (
    click.option(
        "--window",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Tokens of a window.  [default: 512; the model's context where it is not llama.cpp's]",
    ),
    click.option(
        "--max-windows",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Take the first so many windows alone.",
    ),
)

EVALUATION_OPTIONS = (
    FILE,
    *WINDOW_OPTIONS,
    click.option(
        "--exact",
        is_flag=True,
        help="Compute with float32 activations, keys and values: slower, and as near to the "
        "weights as can be.",
    ),
)


def opened_for(model: ModelChoice, window: int | None) -> ModelChoice:
    """The same model, opened with a context of one window where nothing else was asked for."""
    return ModelChoice(model.name, {"context_length": window or WINDOW, **model.settings})


def as_reference(name: str, model: ModelChoice) -> ModelChoice:
    """A reference beside a model: as long and with as many threads, and exact otherwise."""
    shared = ("context_length", "threads")
    kept = {key: model.settings[key] for key in shared if key in model.settings}
    return ModelChoice(name, {**kept, **EXACT})
