"""Mirostat: a cut that steers towards a given surprise.

Basu et al. 2020, arXiv 2007.14966, as in llama.cpp: µ begins at 2τ bits; after each token
µ -= η · (S - τ), where S = -log2 p is the surprise of that token under what the cut left of the
distribution. τ > 0 in bits, η ≥ 0. The likeliest token always stays, the lowest id among equals.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from foretell.config import RANGES, GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.fused.elementary import exp_of, expm1_of, log, log_of, pow_of
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, in_force
from foretell.decoding.processors.truncation import TopK
from foretell.decoding.ranks import top_ids
from foretell.decoding.softmax import log_softmax, softmax
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits

NUM_ESTIMATE = 100  # likeliest tokens from which version 1 estimates the tail


class _Mirostat:
    """What both versions share: µ, and its correction by the surprise of what was drawn.

    The row itself is not kept, as later stages write into it; the cut leaves few tokens.
    """

    def __init__(self, tau: float, eta: float) -> None:
        RANGES["mirostat_tau"].check("mirostat_tau", tau)
        RANGES["mirostat_eta"].check("mirostat_eta", eta)
        self._tau = tau
        self._eta = eta
        self._mu = 2.0 * tau
        self._ids: NDArray[np.intp] = np.empty(0, np.intp)
        self._logprobs: NDArray[np.float64] = np.empty(0)

    def _note(self, row: Logits) -> None:
        self._ids = np.flatnonzero(row > -np.inf)
        self._logprobs = log_softmax(row[self._ids])

    def accept(self, token_id: int) -> None:
        """Correct µ by the surprise of the token drawn; a token that the cut took teaches nothing.

        (A later stage may have brought it back.)
        """
        index = int(np.searchsorted(self._ids, token_id))
        if index == len(self._ids) or self._ids[index] != token_id:
            return
        surprise = -float(self._logprobs[index]) / log_of(2)
        self._mu -= self._eta * (surprise - self._tau)


class MirostatV1(_Mirostat):
    """Keep the k likeliest, k = ⌊(ε · 2**µ / (1 - V**-ε)) ** (1 / s)⌋, ε = s - 1, at least one.

    s is the exponent of Zipf's law, estimated from the 100 likeliest tokens of those still
    possible: Σ t·b / Σ t² with t_i = ln((i + 2) / (i + 1)) and b_i = ln(p_i / p_(i+1)), i from 0.
    V is the vocabulary size, at least 2. At ε = 0 and s = 0 the limits are taken.
    """

    def __init__(self, tau: float, eta: float, vocab_size: int) -> None:
        super().__init__(tau, eta)
        if vocab_size < 2:
            raise ConfigError(f"vocab_size={vocab_size!r} must be at least 2 for mirostat")
        self._log_vocab = log_of(vocab_size)

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out all but the k likeliest."""
        num_candidates = int(np.count_nonzero(row > -np.inf))
        if num_candidates > 1:
            likeliest = row[top_ids(row, min(NUM_ESTIMATE, num_candidates))]
            log_k = self._log_count(_zipf_exponent(likeliest.astype(np.float64)))
            if log_k < log_of(num_candidates):
                TopK(max(1, int(exp_of(log_k))), ties="cut")(row, history)
        self._note(row)

    def _log_count(self, exponent: float) -> float:
        """ln k, before it is rounded down."""
        epsilon = exponent - 1
        ratio = 1 / self._log_vocab
        if epsilon:
            ratio = -epsilon / expm1_of(-epsilon * self._log_vocab)
        log_base = self._mu * log_of(2) + log_of(ratio)
        if exponent > 0:
            return log_base / exponent
        return math.inf if log_base > 0 else 0.0


class MirostatV2(_Mirostat):
    """Keep the tokens with a surprise -log2 p of at most µ bits, or else the likeliest alone."""

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what would be too surprising."""
        too_surprising = softmax(row) < pow_of(2.0, -max(self._mu, 0.0))
        too_surprising[row.argmax()] = False
        np.putmask(row, too_surprising, -np.inf)
        self._note(row)


def _zipf_exponent(logits: NDArray[np.float64]) -> float:
    """The exponent s from two or more logits, largest first."""
    ranks = np.arange(1, len(logits))
    steps = log((ranks + 1) / ranks)
    return float((steps * (logits[:-1] - logits[1:])).sum() / (steps * steps).sum())


def _mirostat(version: int, config: GenerationConfig, context: ChainContext) -> Processor | None:
    tau, eta = in_force("mirostat_tau", config), in_force("mirostat_eta", config)
    if version == 1:
        return MirostatV1(tau, eta, context.vocab_size)
    return MirostatV2(tau, eta) if version == 2 else None


BUILDERS: dict[str, Builder] = {"mirostat": _mirostat}
