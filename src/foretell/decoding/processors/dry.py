"""DRY: don't repeat yourself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from foretell.config import GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.fused.elementary import log_of, pow_of
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, in_force
from foretell.decoding.processors.rows import put
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits

MAX_LOG = np.float32(88.7228391)  # natural log of the largest float32
LEAST_CAPPED = np.float32(1.000001)  # for bases up to it the exponent is not bounded

Breakers = Mapping[int, Sequence[tuple[int, ...]]]
"""By first id: the ids that must follow it. An empty tuple: the token alone breaks."""


class DRY:
    """x - multiplier · base ** (L - allowed_length), where L ≥ allowed_length (llama.cpp, p-e-w).

    L is how many of the last tokens the candidate has followed before: the longest suffix of the
    window that occurred earlier in it with the candidate next. Suffixes end at the last breaker,
    and a token that is a breaker alone is never penalised. The exponent stops where
    base ** exponent would leave float32, and no finite logit falls below float32's bound: nothing
    is ever ruled out. Of the last `last_n` tokens of prompt and output; None: of all.
    """

    def __init__(
        self,
        multiplier: float,
        base: float,
        allowed_length: int,
        last_n: int | None = None,
        breakers: Breakers | None = None,
    ) -> None:
        if not (0 <= multiplier < math.inf):
            raise ConfigError(f"dry_multiplier={multiplier!r} must be a finite number, 0 or more")
        if not (1 <= base < math.inf):
            raise ConfigError(f"dry_base={base!r} must be a finite number, 1 or more")
        if allowed_length < 0:
            raise ConfigError(f"dry_allowed_length={allowed_length!r} must be 0 or more")
        if last_n is not None and last_n < 0:
            raise ConfigError(f"dry_penalty_last_n={last_n!r} must be 0 or more, or None for all")
        self._multiplier = multiplier
        self._base = base
        self._allowed_length = allowed_length
        self._last_n = last_n
        self._breakers = {} if breakers is None else breakers
        self._max_exponent = max_exponent(base)

    def __call__(self, row: Logits, history: History) -> None:
        """Penalise what would go on with a repetition."""
        penalties = {
            token: self._penalty(length)
            for token, length in self._repetitions(history.tokens).items()
            if token < len(row) and () not in self._breakers.get(token, ())
        }
        ids = np.fromiter(penalties, dtype=np.int64)
        with np.errstate(over="ignore"):
            put(row, ids, row[ids] - np.array(list(penalties.values()), dtype=np.float32))

    def _penalty(self, length: int) -> float:
        exponent = min(length - self._allowed_length, self._max_exponent)
        return self._multiplier * pow_of(self._base, exponent)

    def _repetitions(self, tokens: Sequence[int]) -> dict[int, int]:
        """By token that would go on with a long enough repetition: the longest such length."""
        first = 0 if self._last_n is None else max(len(tokens) - self._last_n, 0)
        backwards = list(tokens[first:])[::-1]
        limit = tokens_since_breaker(backwards, self._breakers)
        if limit < self._allowed_length:
            return {}
        longest: dict[int, int] = {}
        lengths = prefix_lengths(backwards)
        for token, length in zip(backwards, lengths[1:], strict=False):
            repeated = min(length, limit)
            if repeated >= self._allowed_length and repeated > longest.get(token, -1):
                longest[token] = repeated
        return longest


def max_exponent(base: float) -> float:
    """The exponent at which base ** exponent is about to leave float32, as llama.cpp finds it.

    In float32, by which it is 128 for a base of 2, and not 127.
    """
    rounded = np.float32(base)
    if rounded <= LEAST_CAPPED:
        return math.inf
    return math.floor(MAX_LOG / np.float32(log_of(float(rounded))))


def tokens_since_breaker(backwards: Sequence[int], breakers: Breakers) -> int:
    """How many tokens came after the last breaker, given the tokens last to first.

    Of the breakers that begin at the same token, the longest counts. All, if there is none.
    """
    for index, token in enumerate(backwards):
        tails = [
            len(tail)
            for tail in breakers.get(token, ())
            if len(tail) <= index and tuple(backwards[index - len(tail) : index][::-1]) == tail
        ]
        if tails:
            return index - max(tails)
    return len(backwards)


def prefix_lengths(ids: Sequence[int]) -> list[int]:
    """For every index: how many of the ids from there on equal those from the start (Z-algorithm).

    In linear time: [start, end) is the match found so far that reaches farthest, and what lies
    inside it is known from its own start (Gusfield 1997, section 1.4).
    """
    size = len(ids)
    lengths = [size] * min(size, 1)
    start = end = 0
    for index in range(1, size):
        length = min(lengths[index - start], end - index) if index < end else 0
        while index + length < size and ids[length] == ids[index + length]:
            length += 1
        lengths.append(length)
        if index + length > end:
            start, end = index, index + length
    return lengths


def _dry(multiplier: float, config: GenerationConfig, context: ChainContext) -> Processor | None:
    if not multiplier:
        return None
    base, allowed = in_force("dry_base", config), in_force("dry_allowed_length", config)
    return DRY(multiplier, base, allowed, config.dry_penalty_last_n, context.dry_breakers)


BUILDERS: dict[str, Builder] = {"dry_multiplier": _dry}
