"""Samplers that cut off the unlikely: top-k and top-p (row 5 of the design)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from foretell.decoding.arrays import Logits
from foretell.decoding.logprobs import kth_largest
from foretell.decoding.mass import total_mass, weights_of
from foretell.decoding.processors.base import History

NUM_BINS = 512  # in which `TopP` counts logits before it sorts any


class TopK:
    """Keep the k largest logits, and all that equal the k-th (Fan et al. 2018, arXiv 1805.04833).

    Ruled out: x_i < x_(k), where x_(k) is the k-th largest.
    """

    def __init__(self, k: int) -> None:
        self._k = k

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what is smaller than the k-th largest logit."""
        if self._k >= len(row):
            return
        np.putmask(row, row < kth_largest(row, self._k), -np.inf)


class TopP:
    """Keep the nucleus: the smallest set whose probability reaches p (Holtzman et al. 2019).

    In descending order (the lower id first among equals), a token is kept while the probability
    before it is less than p: the crossing token stays, and so does the first. Summed in float64.
    arXiv 1904.09751.
    """

    def __init__(self, p: float) -> None:
        self._p = p

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what is outside the nucleus."""
        if self._p >= 1:
            return
        largest = float(row.max())
        total = total_mass(row, largest)
        # All tokens lighter than (1 - p) · total / n weigh at most (1 - p) · total together, so the
        # nucleus lies in the rest. Half of that bound leaves room for rounding.
        reach = -math.log(0.5 * (1 - self._p) * total / len(row))
        heavy = np.flatnonzero(row >= largest - reach)
        logits = row[heavy]
        nucleus = _heaviest(logits, self._p * total, reach)
        row.fill(-np.inf)
        row[heavy[nucleus]] = logits[nucleus]


def _heaviest(logits: Logits, mass: float, reach: float) -> NDArray[np.intp]:
    """Places of the fewest logits, largest first, whose Σ exp(logit - max) reaches `mass`.

    The logits, none more than about `reach` below the maximum, are counted into bins by size. Only
    the bin in which the mass is reached has to be sorted.
    """
    largest = float(logits.max())
    weights = weights_of(logits, largest)
    bins = np.minimum(((largest - logits) * (NUM_BINS / reach)).astype(np.intp), NUM_BINS - 1)
    reached = np.cumsum(np.bincount(bins, weights, NUM_BINS))
    last = int(np.searchsorted(reached, mass, side="left"))
    edge = np.flatnonzero(bins == last)
    edge = edge[np.argsort(-logits[edge], kind="stable")]
    before = reached[last - 1] if last else 0.0
    count = 1 + int(np.searchsorted(before + np.cumsum(weights[edge]), mass, side="left"))
    return np.concatenate([np.flatnonzero(bins < last), edge[:count]])
