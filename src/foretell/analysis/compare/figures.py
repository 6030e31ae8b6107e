"""What tells one strategy's texts from another's, in numbers; all over token ids."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from foretell.outputs import JsonMixin

REPEATED_NGRAM_SIZE = 4

Ids = Sequence[int]


@dataclass(frozen=True, repr=False)
class Figures(JsonMixin):
    """Figures of one strategy's runs. None where there is nothing to count.

    Tokens are the generated ones, an end-of-sequence token included.

    Attributes:
        mean_logprob: natural-log probability under the raw model (before any setting), summed
            over the tokens of all runs and divided by their number.
        perplexity: exp(-mean_logprob).
        distinct_1, distinct_2, distinct_3: see `distinct`.
        repeated_ngrams: see `repeated_ngrams`, with n = 4.
        agreement: see `agreement`.
        mean_length: tokens a run.
    """

    mean_logprob: float | None
    perplexity: float | None
    distinct_1: float | None
    distinct_2: float | None
    distinct_3: float | None
    repeated_ngrams: float | None
    agreement: float | None
    mean_length: float


def figures_of(texts: Sequence[Ids], logprobs: Sequence[float]) -> Figures:
    """The figures of runs with these token ids and token log-probabilities."""
    num_tokens = sum(map(len, texts))
    mean_logprob = math.fsum(logprobs) / num_tokens if num_tokens else None
    return Figures(
        mean_logprob=mean_logprob,
        perplexity=None if mean_logprob is None else _exp(-mean_logprob),
        distinct_1=distinct(texts, 1),
        distinct_2=distinct(texts, 2),
        distinct_3=distinct(texts, 3),
        repeated_ngrams=repeated_ngrams(texts, REPEATED_NGRAM_SIZE),
        agreement=agreement(texts),
        mean_length=num_tokens / len(texts) if texts else 0.0,
    )


def distinct(texts: Sequence[Ids], n: int) -> float | None:
    """A text's different n-grams over the number of its n-grams, mean over the texts.

    So it is for one text what it is for several, and strategies with few and many runs compare.
    Texts of fewer than n tokens are left out. None if all are. (Li et al. 2016, arXiv 1510.03055,
    who divide by the number of tokens; with n-grams below the line the highest value is 1.)
    """
    shares = list(_distinct_shares(texts, n))
    return sum(shares) / len(shares) if shares else None


def repeated_ngrams(texts: Sequence[Ids], n: int) -> float | None:
    """The share of a text's n-grams that stand earlier in the same text, mean over the texts.

    That is 1 less `distinct`. Texts of fewer than n tokens are left out. None if all are.
    """
    shares = [1 - share for share in _distinct_shares(texts, n)]
    return sum(shares) / len(shares) if shares else None


def _distinct_shares(texts: Sequence[Ids], n: int) -> Iterator[float]:
    for text in texts:
        ngrams = list(_ngrams(text, n))
        if ngrams:
            yield len(set(ngrams)) / len(ngrams)


def agreement(texts: Sequence[Ids]) -> float | None:
    """How much the runs say the same: over all pairs, the mean share of equal positions.

    A pair's share counts the positions at which both have the same token, over the length of the
    longer one; two empty texts agree wholly. None for fewer than two texts.
    """
    shares = [_equal_share(one, other) for one, other in combinations(texts, 2)]
    return sum(shares) / len(shares) if shares else None


def _equal_share(one: Ids, other: Ids) -> float:
    longer = max(len(one), len(other))
    equal = sum(a == b for a, b in zip(one, other, strict=False))
    return equal / longer if longer else 1.0


def _ngrams(text: Ids, n: int) -> Iterator[tuple[int, ...]]:
    return (tuple(text[start : start + n]) for start in range(len(text) - n + 1))


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
