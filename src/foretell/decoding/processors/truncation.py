"""Samplers that cut off the unlikely: top-k, top-p and min-p.

Each keeps `min_tokens_to_keep` of the largest logits in any case (transformers' parameter of the
same name), the lower id first among equals; so at least the largest stays.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foretell.config import GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.fused.elementary import log_of
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, min_tokens
from foretell.decoding.ranks import kth_largest, top_ids
from foretell.decoding.softmax import (
    WEIGHT_BITS,
    Weights,
    integer_weights,
    nucleus_weight,
    total_weight,
)
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits

NUM_BINS = 512  # in which `TopP` counts logits before it sorts any


class TopK:
    """Keep the k largest logits (Fan et al. 2018, arXiv 1805.04833).

    Ruled out: x_i < x_(k), where x_(k) is the k-th largest. Of those that equal it, all stay
    (`ties="keep"`, transformers), or the lower ids, so that exactly k stay (`ties="cut"`,
    llama.cpp).

    Attributes:
        k: how many stay at least.
        cuts_ties: whether exactly k stay.
    """

    def __init__(
        self, k: int, *, ties: Literal["keep", "cut"] = "keep", min_tokens_to_keep: int = 1
    ) -> None:
        if k < 1:
            raise ConfigError(f"top_k={k!r} must be at least 1")
        _check_min_tokens(min_tokens_to_keep)
        self.k = max(k, min_tokens_to_keep)
        self.cuts_ties = ties == "cut"

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what is smaller than the k-th largest logit."""
        if self.k >= len(row):
            return
        if self.cuts_ties:
            _keep(row, top_ids(row, self.k))
        else:
            np.putmask(row, row < kth_largest(row, self.k), -np.inf)


class TopP:
    """Keep the nucleus: the smallest set whose probability reaches p (Holtzman et al. 2019).

    In descending order (the lower id first among equals), a token is kept while the probability
    before it is less than p: the crossing token stays, and so does the first. Summed in integer
    weights, see softmax.py. arXiv 1904.09751.

    Attributes:
        p: the probability to reach.
    """

    def __init__(self, p: float, *, min_tokens_to_keep: int = 1) -> None:
        _check_probability("top_p", p)
        _check_min_tokens(min_tokens_to_keep)
        self.p = p
        self._min_tokens = min_tokens_to_keep

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what is outside the nucleus."""
        if self.p >= 1:
            return
        largest = float(row.max())
        total = total_weight(row, largest)
        # All tokens lighter than (1 - p) · total / n weigh at most (1 - p) · total together, so the
        # nucleus lies in the rest. Half of that bound leaves room for rounding.
        reach = -log_of(0.5 * (1 - self.p) * total / 2.0**WEIGHT_BITS / len(row))
        heavy = np.flatnonzero(row >= largest - reach)
        needed = nucleus_weight(self.p, total)
        weights = integer_weights(row[heavy], largest)
        if weights.sum() < needed:  # p is so near 1 that roundings count
            heavy = np.flatnonzero(row > -np.inf)
            weights = integer_weights(row[heavy], largest)
        nucleus = heavy[_heaviest(row[heavy], weights, needed, reach)]
        if self._min_tokens > len(nucleus):
            nucleus = top_ids(row, self._min_tokens)
        _keep(row, nucleus)


class MinP:
    """Keep what is at least p times as probable as the likeliest (Nguyen et al. 2024).

    Ruled out: x_i < x_max + ln p, compared in float64. arXiv 2407.01082.

    Attributes:
        p: the least share of the likeliest token's probability.
    """

    def __init__(self, p: float, *, min_tokens_to_keep: int = 1) -> None:
        _check_probability("min_p", p)
        _check_min_tokens(min_tokens_to_keep)
        self.p = p
        self._log_p = log_of(p)
        self._min_tokens = min_tokens_to_keep

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what is much less probable than the likeliest."""
        below = row < _round_up(float(row.max()) + self._log_p)
        if self._min_tokens > 1:
            below[top_ids(row, self._min_tokens)] = False
        np.putmask(row, below, -np.inf)


def _check_probability(name: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ConfigError(f"{name}={p!r} must be in 0 … 1")


def _check_min_tokens(count: int) -> None:
    if count < 1:
        raise ConfigError(f"min_tokens_to_keep={count!r} must be at least 1")


def _round_up(x: float) -> np.float32:
    """The smallest float32 that is not below x."""
    with np.errstate(over="ignore"):
        nearest: np.float32 = np.float32(x)
    above: np.float32 = np.nextafter(nearest, np.float32(np.inf))
    return above if float(nearest) < x else nearest


def _keep(row: Logits, ids: NDArray[np.intp]) -> None:
    logits = row[ids]
    row.fill(-np.inf)
    row[ids] = logits


def _heaviest(logits: Logits, weights: Weights, needed: int, reach: float) -> NDArray[np.intp]:
    """Places of the fewest logits, largest first, whose integer weights add up to `needed`.

    The logits, few of them more than about `reach` below the maximum, are counted into bins by
    size. Only the bin in which the weight is reached has to be sorted.
    """
    largest = float(logits.max())
    bins = np.minimum(((largest - logits) * (NUM_BINS / reach)).astype(np.intp), NUM_BINS - 1)
    reached = np.zeros(NUM_BINS, np.int64)
    np.add.at(reached, bins, weights)
    np.cumsum(reached, out=reached)
    last = int(np.searchsorted(reached, needed, side="left"))
    edge = np.flatnonzero(bins == last)
    edge = edge[np.argsort(-logits[edge], kind="stable")]
    before = reached[last - 1] if last else 0
    count = 1 + int(np.searchsorted(before + np.cumsum(weights[edge]), needed, side="left"))
    return np.concatenate([np.flatnonzero(bins < last), edge[:count]])


def _top_k(k: int, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return TopK(k, ties=config.rules.ties, min_tokens_to_keep=min_tokens(config)) if k else None


def _top_p(p: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return TopP(p, min_tokens_to_keep=min_tokens(config)) if p < 1 else None


def _min_p(p: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return MinP(p, min_tokens_to_keep=min_tokens(config)) if p else None


BUILDERS: dict[str, Builder] = {"top_k": _top_k, "top_p": _top_p, "min_p": _min_p}
