"""Log-probabilities of the raw model, for reporting. float64 throughout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from foretell.decoding.softmax import check_logits, total_mass, weights_of
from foretell.outputs import LogprobStage
from foretell.utils.arrays import Logits

GROUP = 64  # logits that share one maximum in `kth_largest`


@dataclass(frozen=True)
class RankedToken:
    """A token, its natural-log probability, and its rank: 1 + the number of likelier tokens."""

    token_id: int
    logprob: float
    rank: int


@dataclass(frozen=True)
class TokenReport:
    """What the raw model thought of one chosen token, and of the likeliest ones beside it."""

    chosen: RankedToken
    top: tuple[RankedToken, ...] = ()


NO_REPORTS: Mapping[LogprobStage, TokenReport] = MappingProxyType({})
"""Of a token whose log-probabilities were not asked for."""


def log_normalizer(row: Logits) -> float:
    """log Σ exp(row), computed from the maximum down so that nothing overflows."""
    largest = check_logits(row)
    return largest + math.log(total_mass(row, largest))


def log_softmax(row: Logits) -> NDArray[np.float64]:
    """Natural-log probabilities of a row of logits: row - log Σ exp(row), `(vocab_size,)`."""
    largest = check_logits(row)
    result = row.astype(np.float64)
    result -= largest  # first, as a huge maximum would swallow the logarithm
    result -= math.log(total_mass(row, largest))
    return result


def softmax(row: Logits) -> NDArray[np.float64]:
    """Probabilities of a row of logits, `(vocab_size,)`; they sum to 1 within rounding."""
    weights = weights_of(row, check_logits(row))
    weights /= weights.sum()
    return weights


def entropy(probabilities: NDArray[np.float64]) -> float:
    """-Σ p log p, in nats (Shannon 1948); what has no probability adds nothing."""
    possible = probabilities[probabilities > 0]
    terms = possible * np.log(possible)  # no dot product: BLAS adds in an order of its threads
    return max(0.0, -float(terms.sum()))


def kth_largest(row: Logits, k: int) -> float:
    """The k-th largest logit, 1 ≤ k ≤ vocab_size, equal ones counted apiece.

    Where k is small, the row is first cut into columns. The k-th largest of the columns' maxima is
    no larger than the answer, since k logits reach it; so only what reaches it is sorted out.
    """
    columns = len(row) // GROUP
    if k > columns // 4:
        return float(np.partition(row, len(row) - k)[len(row) - k])
    maxima = row[: columns * GROUP].reshape(GROUP, columns).max(axis=0)
    bound = np.partition(maxima, columns - k)[columns - k]
    candidates = row[row >= bound]
    return float(np.partition(candidates, len(candidates) - k)[len(candidates) - k])


def top_ids(row: Logits, count: int) -> NDArray[np.intp]:
    """Ids of the `count` largest logits, largest first, the lower id first among equals."""
    count = min(count, len(row))
    if count == 0:
        return np.empty(0, dtype=np.intp)
    threshold = kth_largest(row, count)
    above = np.flatnonzero(row > threshold)
    equal = np.flatnonzero(row == threshold)[: count - len(above)]
    ids = np.concatenate([above, equal])
    return ids[np.argsort(-row[ids], kind="stable")]


def report(row: Logits, token_id: int, num_top: int) -> TokenReport:
    """Report the chosen token and the `num_top` likeliest under softmax(row)."""
    normalizer = log_normalizer(row)
    rank = 1 + int(np.count_nonzero(row > row[token_id]))
    chosen = RankedToken(token_id, float(row[token_id]) - normalizer, rank)
    ids = top_ids(row, num_top)
    falling = -row[ids].astype(np.float64)
    ranks = 1 + np.searchsorted(falling, falling, side="left")
    columns = zip(ids.tolist(), (-falling - normalizer).tolist(), ranks.tolist(), strict=True)
    return TokenReport(chosen, tuple(RankedToken(*column) for column in columns))
