"""Mirostat: a cut that steers towards a given surprise (row 5 of the design).

Basu et al. 2021, arXiv 2007.14966, as in llama.cpp.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from foretell.decoding.arrays import Logits
from foretell.decoding.logprobs import log_softmax, top_ids
from foretell.decoding.mass import check_logits
from foretell.decoding.processors.base import History
from foretell.decoding.processors.truncation import TopK

NUM_ESTIMATE = 100  # likeliest tokens from which version 1 estimates the tail


class _Mirostat:
    """What both versions share: µ, and its correction by the surprise of what was drawn."""

    def __init__(self, tau: float, eta: float) -> None:
        self._tau = tau
        self._eta = eta
        self._mu = 2 * tau
        self._logprobs: dict[int, float] = {}

    def _note(self, row: Logits) -> None:
        """Keep the renormalized log-probabilities of what is left."""
        ids = np.flatnonzero(row > -np.inf)
        values = log_softmax(row[ids]).tolist()
        self._logprobs = dict(zip(ids.tolist(), values, strict=True))

    def accept(self, token_id: int) -> None:
        """µ -= η · (surprise - τ), the surprise in bits."""
        surprise = -self._logprobs[token_id] / math.log(2)
        self._mu -= self._eta * (surprise - self._tau)


class MirostatV1(_Mirostat):
    """Top-k with k = ((s - 1) · 2**µ / (1 - V ** -(s - 1))) ** (1 / s).

    s is Zipf's exponent, estimated from the 100 likeliest tokens: Σ t·b / Σ t² with
    t = ln((i + 2) / (i + 1)) and b = ln(p_i / p_(i+1)). τ > 0 in bits, 0 ≤ η; at least one stays.
    """

    def __init__(self, tau: float, eta: float, vocab_size: int) -> None:
        super().__init__(tau, eta)
        self._vocab_size = vocab_size

    def __call__(self, row: Logits, history: History) -> None:
        """Keep the k likeliest."""
        check_logits(row)
        logits = row[top_ids(row, NUM_ESTIMATE)].astype(np.float64)
        exponent = _zipf_exponent(logits[logits > -np.inf])
        TopK(max(1, self._count(exponent)), ties="cut")(row, history)
        self._note(row)

    def _count(self, exponent: float) -> int:
        epsilon = exponent - 1
        try:
            base = epsilon * 2.0**self._mu / (1 - self._vocab_size**-epsilon)
            return int(min(base ** (1 / exponent), self._vocab_size))
        except (ZeroDivisionError, OverflowError, ValueError, TypeError):
            return self._vocab_size  # no estimate: nothing is cut


def _zipf_exponent(logits: NDArray[np.float64]) -> float:
    if len(logits) < 2:
        return math.nan
    places = np.arange(len(logits) - 1)
    steps = np.log((places + 2) / (places + 1))
    falls = logits[:-1] - logits[1:]
    return float((steps @ falls) / (steps @ steps))


class MirostatV2(_Mirostat):
    """Keep tokens with a surprise -log2 p of at most µ bits; the likeliest always stays.

    µ begins at 2τ. τ > 0 in bits, 0 ≤ η.
    """

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what would be too surprising."""
        surprise = log_softmax(row) / -math.log(2)
        np.putmask(row, (surprise > self._mu) & (row < row.max()), -np.inf)
        self._note(row)
