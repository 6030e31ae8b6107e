"""Samplers that cut by entropy and by absolute probability (row 5 of the design)."""

from __future__ import annotations

import math

import numpy as np

from foretell.decoding.arrays import Logits
from foretell.decoding.logprobs import entropy, log_softmax, top_ids
from foretell.decoding.processors.base import History

TOP_H_CANDIDATES = 100


class TypicalP:
    """Keep the most typical tokens (Meister et al. 2022, arXiv 2202.00666).

    Sorted by |-ln p_i - H|, H the entropy, tokens are kept until their probability reaches `mass`,
    0 < mass < 1: the crossing token stays, and all that are as typical. At least
    `min_tokens_to_keep` stay.
    """

    def __init__(self, mass: float, min_tokens_to_keep: int = 1) -> None:
        self._mass = mass
        self._keep = min_tokens_to_keep

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what is less typical than the crossing token."""
        ids = np.flatnonzero(row > -np.inf)
        logprobs = log_softmax(row)[ids]
        probabilities = np.exp(logprobs)
        shift = np.abs(-logprobs - entropy(probabilities))
        order = np.argsort(shift, kind="stable")
        reached = np.cumsum(probabilities[order])
        last = int(np.searchsorted(reached, self._mass, side="left"))
        last = min(max(last, self._keep - 1), len(ids) - 1)
        row[ids[shift > shift[order[last]]]] = -np.inf


class EpsilonCutoff:
    """Keep p_i ≥ ε (Hewitt et al. 2022, arXiv 2210.15191), 0 < ε < 1.

    Where nothing reaches ε, the likeliest token (all, if they tie) stays.
    """

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what is less probable than ε."""
        _cut(row, np.exp(log_softmax(row)), self._epsilon)


class EtaCutoff:
    """Keep p_i ≥ min(ε, √ε · exp(-H)), H the entropy (Hewitt et al. 2022, arXiv 2210.15191).

    Where nothing reaches it, the likeliest token (all, if they tie) stays.
    """

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what is less probable than η."""
        probabilities = np.exp(log_softmax(row))
        eta = math.sqrt(self._epsilon) * math.exp(-entropy(probabilities))
        _cut(row, probabilities, min(self._epsilon, eta))


def _cut(
    row: Logits, probabilities: np.ndarray[tuple[int], np.dtype[np.float64]], low: float
) -> None:
    remove = (probabilities < low) & (row < row.max())
    np.putmask(row, remove, -np.inf)


class TopH:
    """Keep the likeliest tokens up to a share of the entropy (top-H decoding, as in transformers).

    Of the 100 likeliest tokens, in order, those are kept whose Σ -p ln p does not exceed
    `top_h` · H, both over these 100 renormalized; the first always stays. 0 < top_h ≤ 1.
    """

    def __init__(self, top_h: float) -> None:
        self._top_h = top_h

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what would exceed the entropy budget."""
        ids = top_ids(row, TOP_H_CANDIDATES)
        ids = ids[row[ids] > -np.inf]
        kept = row[ids]
        logprobs = log_softmax(kept)
        terms = -np.exp(logprobs) * logprobs
        count = max(1, int(np.count_nonzero(np.cumsum(terms) <= self._top_h * terms.sum())))
        row.fill(-np.inf)
        row[ids[:count]] = kept[:count]
