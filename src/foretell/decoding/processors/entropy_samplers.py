"""Samplers that cut by entropy and by absolute probability."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from foretell.config import RANGES, GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.fused.elementary import exp, exp_of
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, min_tokens
from foretell.decoding.processors.rows import cut
from foretell.decoding.ranks import top_ids
from foretell.decoding.softmax import entropy, log_softmax, softmax
from foretell.utils.arrays import Logits

NUM_TOP_H = 100  # candidates that top-h looks at
NUM_BINS, BINS_PER_NAT = 1024, 32  # in which `TypicalP` counts tokens before it sorts any


class TypicalP:
    """Keep the most typical tokens (Meister et al. 2022, arXiv 2202.00666).

    In ascending order of |-ln p_i - H|, H the entropy in nats, tokens are kept until their
    probability reaches `mass`: the crossing token stays, and all that are as typical as it, as in
    transformers. 0 < mass ≤ 1; 1 is off. The `min_tokens_to_keep` most typical stay in any case,
    the lower id first among equals; the likeliest token may go.
    """

    def __init__(self, mass: float, min_tokens_to_keep: int = 1) -> None:
        RANGES["typical_p"].check("typical_p", mass)
        RANGES["min_tokens_to_keep"].check("min_tokens_to_keep", min_tokens_to_keep)
        self._mass = mass
        self._min_tokens = min_tokens_to_keep

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what is less typical than the crossing token."""
        if self._mass >= 1:
            return
        ids = np.flatnonzero(row > -np.inf)
        logprobs = log_softmax(row[ids])
        probabilities = exp(logprobs)
        distances = np.abs(logprobs + entropy(probabilities))
        kept = distances <= _weighted_quantile(distances, probabilities, self._mass)
        if np.count_nonzero(kept) < self._min_tokens:
            kept[np.argsort(distances, kind="stable")[: self._min_tokens]] = True
        row[ids[~kept]] = -np.inf


class EpsilonCutoff:
    """Keep p_i ≥ ε (Hewitt et al. 2022, arXiv 2210.15191).

    0 ≤ ε ≤ 1; 0 is off. The `min_tokens_to_keep` largest logits and those that equal them stay.
    """

    def __init__(self, epsilon: float, min_tokens_to_keep: int = 1) -> None:
        RANGES["epsilon_cutoff"].check("epsilon_cutoff", epsilon)
        RANGES["min_tokens_to_keep"].check("min_tokens_to_keep", min_tokens_to_keep)
        self._epsilon = epsilon
        self._min_tokens = min_tokens_to_keep

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what is less probable than ε."""
        cut(row, softmax(row) < self._epsilon, self._min_tokens)


class EtaCutoff:
    """Keep p_i ≥ min(ε, √ε · exp(-H)), H the entropy (Hewitt et al. 2022, arXiv 2210.15191).

    As transformers computes it (its documentation has the root over both factors).
    0 ≤ ε ≤ 1; 0 is off. The `min_tokens_to_keep` largest logits and those that equal them stay.
    """

    def __init__(self, epsilon: float, min_tokens_to_keep: int = 1) -> None:
        RANGES["eta_cutoff"].check("eta_cutoff", epsilon)
        RANGES["min_tokens_to_keep"].check("min_tokens_to_keep", min_tokens_to_keep)
        self._epsilon = epsilon
        self._min_tokens = min_tokens_to_keep

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what is less probable than the bound that the entropy sets."""
        probabilities = softmax(row)
        eta = math.sqrt(self._epsilon) * exp_of(-entropy(probabilities))
        cut(row, probabilities < min(self._epsilon, eta), self._min_tokens)


class TopH:
    """Keep the likeliest tokens up to a share of the entropy (top-H decoding, as in transformers).

    Of the 100 likeliest tokens, largest first, those are kept whose running sum of -p ln p is at
    most top_h · H; p and their entropy H are renormalized over these 100. All others go; the
    `min_tokens_to_keep` likeliest always stay, the lower id first among equals. 0 < top_h ≤ 1.
    """

    def __init__(self, top_h: float, min_tokens_to_keep: int = 1) -> None:
        RANGES["top_h"].check("top_h", top_h)
        RANGES["min_tokens_to_keep"].check("min_tokens_to_keep", min_tokens_to_keep)
        self._top_h = top_h
        self._min_tokens = min_tokens_to_keep

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what would exceed the share of the entropy."""
        ids = top_ids(row, max(NUM_TOP_H, self._min_tokens))
        logits = row[ids[row[ids] > -np.inf]]
        logprobs = log_softmax(logits[:NUM_TOP_H])
        reached = np.cumsum(-exp(logprobs) * logprobs)
        within = reached <= self._top_h * reached[-1]
        count = min(max(self._min_tokens, int(np.count_nonzero(within))), len(logits))
        row.fill(-np.inf)
        row[ids[:count]] = logits[:count]


def _weighted_quantile(
    values: NDArray[np.float64], weights: NDArray[np.float64], wanted: float
) -> float:
    """The smallest v such that the weights of the values ≤ v add up to `wanted`; inf if none does.

    The values are counted into bins, and only the bin in which the sum is reached is sorted.
    """
    bins = np.minimum(values * BINS_PER_NAT, NUM_BINS - 1).astype(np.intp)
    reached = np.cumsum(np.bincount(bins, weights, minlength=NUM_BINS))
    last = int(np.searchsorted(reached, wanted, side="left"))
    if last == NUM_BINS:
        return math.inf
    edge = np.flatnonzero(bins == last)
    edge = edge[np.argsort(values[edge], kind="stable")]
    before = reached[last - 1] if last else 0.0
    index = int(np.searchsorted(before + np.cumsum(weights[edge]), wanted, side="left"))
    return float(values[edge[min(index, len(edge) - 1)]])


def _typical_p(p: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return TypicalP(p, min_tokens_to_keep=min_tokens(config)) if p < 1 else None


def _epsilon(value: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return EpsilonCutoff(value, min_tokens(config)) if value else None


def _eta(value: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return EtaCutoff(value, min_tokens(config)) if value else None


BUILDERS: dict[str, Builder] = {
    "typical_p": _typical_p,
    "epsilon_cutoff": _epsilon,
    "eta_cutoff": _eta,
    "top_h": lambda share, config, _: TopH(share, min_tokens(config)),
}
