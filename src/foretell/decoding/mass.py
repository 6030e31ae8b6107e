"""Sums of exp(logits), in float64 (row 5 of the design).

A vocabulary is walked block by block: the float64 copies of one block stay in the cache, while
those of 262,144 logits would take fresh pages each time, which cost more than the arithmetic.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from foretell.decoding.arrays import Logits
from foretell.errors import NumericalError

BLOCK = 8192


def check_logits(row: Logits) -> float:
    """Return the largest logit; raise NumericalError if the row has NaN or +inf, or is all -inf."""
    largest = float(row.max())  # NaN propagates through max
    if math.isnan(largest) or math.isinf(largest):
        what = "has NaN" if math.isnan(largest) else f"has a maximum of {largest}"
        raise NumericalError(f"the model's row of logits {what}: its maximum must be finite")
    return largest


def weights_of(logits: Logits, largest: float) -> NDArray[np.float64]:
    """exp(logits - largest) in float64; 0 where a token is ruled out."""
    weights = logits.astype(np.float64)
    weights -= largest
    return np.exp(weights, out=weights)


def block_masses(row: Logits, largest: float) -> NDArray[np.float64]:
    """Σ exp(row - largest) over each block of BLOCK logits, `(ceil(len(row) / BLOCK),)`."""
    starts = range(0, len(row), BLOCK)
    return np.array([weights_of(row[at : at + BLOCK], largest).sum() for at in starts])


def sparse_ids(row: Logits) -> NDArray[np.intp] | None:
    """The ids that are not ruled out, ascending, if they are few; else None."""
    possible = row > -np.inf
    if 4 * np.count_nonzero(possible) > len(row):
        return None
    return np.flatnonzero(possible)


def total_mass(row: Logits, largest: float) -> float:
    """Σ exp(row - largest)."""
    ids = sparse_ids(row)
    return float(block_masses(row if ids is None else row[ids], largest).sum())
