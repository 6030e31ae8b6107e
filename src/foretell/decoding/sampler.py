"""From a processed row to one token (row 5 of the design)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.decoding.arrays import Logits
from foretell.decoding.mass import BLOCK, block_masses, check_logits, sparse_ids, weights_of


def greedy(row: Logits) -> int:
    """The token with the largest logit, the lowest id among equals.

    Raises NumericalError for a row with NaN or +inf, or of -inf alone.
    """
    token = int(row.argmax())  # the first NaN, if there is one
    if not np.isfinite(row[token]):
        check_logits(row)
    return token


def draw(row: Logits, uniform: float) -> int:
    """The token at quantile `uniform`, in [0, 1), of softmax(row): inverse transform sampling.

    Probabilities are summed in ascending order of ids, in float64. A token of probability zero is
    never returned: the answer is always one at which the sum rises.
    """
    ids = sparse_ids(row)
    if ids is None:
        return _draw(row, uniform)
    check_logits(row)
    return int(ids[_draw(row[ids], uniform)])


def _draw(row: Logits, uniform: float) -> int:
    largest = check_logits(row)
    masses = np.cumsum(block_masses(row, largest))
    target = uniform * masses[-1]
    block = _first_above(masses, target)
    start = block * BLOCK
    before = masses[block - 1] if block else 0.0
    weights = weights_of(row[start : start + BLOCK], largest)
    return start + _first_above(np.cumsum(weights), target - before)


def _first_above(cumulative: NDArray[np.float64], target: float) -> int:
    """The first place whose sum exceeds the target; where rounding leaves none, the last rise."""
    place = int(np.searchsorted(cumulative, target, side="right"))
    if place == len(cumulative):
        place = int(np.searchsorted(cumulative, cumulative[-1], side="left"))
    return place
