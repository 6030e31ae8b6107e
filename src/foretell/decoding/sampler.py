"""From a processed row to one token."""

from __future__ import annotations

import numpy as np

from foretell.decoding.softmax import (
    BLOCK,
    Weights,
    block_weights,
    check_logits,
    drawn_weight,
    integer_weights,
    sparse_ids,
)
from foretell.utils.arrays import Logits


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

    Integer weights (see softmax.py) are summed in ascending order of ids. A token of weight zero is
    never returned: the answer is always one at which the sum rises.
    """
    ids = sparse_ids(row)
    if ids is None:
        return _draw(row, uniform)
    check_logits(row)
    return int(ids[_draw(row[ids], uniform)])


def _draw(row: Logits, uniform: float) -> int:
    largest = check_logits(row)
    reached = np.cumsum(block_weights(row, largest))
    target = drawn_weight(uniform, int(reached[-1]))
    block = _first_above(reached, target)
    start = block * BLOCK
    before = int(reached[block - 1]) if block else 0
    weights = integer_weights(row[start : start + BLOCK], largest)
    return start + _first_above(np.cumsum(weights), target - before)


def _first_above(reached: Weights, target: int) -> int:
    return int(np.searchsorted(reached, target, side="right"))
