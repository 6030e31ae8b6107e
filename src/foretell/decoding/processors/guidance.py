"""Classifier-free guidance: away from what a negative prompt leads to."""

from __future__ import annotations

import math

import numpy as np

from foretell.decoding.processors.rows import LARGEST
from foretell.decoding.softmax import log_softmax
from foretell.errors import ConfigError, NumericalError
from foretell.utils.arrays import Logits


def guide(conditional: Logits, unconditional: Logits, scale: float) -> None:
    """scale · (c - u) + u, on log-probabilities c and u (Sanchez et al. 2023, arXiv 2306.17806).

    Both rows are `(vocab_size,)`; the result is written over `conditional`. At a scale of 1 it is
    c, at 0 it is u. What c rules out stays so; what only u rules out keeps c, since the formula has
    no finite answer there: so what was possible stays possible. Computed in float64, and bounded to
    float32. NumericalError if a row has NaN, or no token possible.
    """
    if not math.isfinite(scale):
        raise ConfigError(f"guidance_scale={scale!r} must be a finite number")
    if conditional.shape != unconditional.shape:
        raise NumericalError(
            f"guidance has rows of {len(conditional)} and {len(unconditional)} logits: "
            f"must be of one vocabulary"
        )
    wanted, unwanted = log_softmax(conditional), log_softmax(unconditional)
    both = np.isfinite(wanted) & np.isfinite(unwanted)
    with np.errstate(over="ignore"):
        wanted[both] = scale * (wanted[both] - unwanted[both]) + unwanted[both]
    possible = conditional > -np.inf
    conditional[:] = -np.inf
    conditional[possible] = np.clip(wanted[possible], -LARGEST, LARGEST)
