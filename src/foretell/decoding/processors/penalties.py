"""Penalties on tokens that were seen before (row 5 of the design).

All three leave ruled-out tokens ruled out, exempt ones alone, and finite logits finite: a penalty
that would overflow float32 stops at its bounds. Nothing is ever ruled out.
"""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from foretell.decoding.arrays import Logits
from foretell.decoding.processors.base import History
from foretell.decoding.processors.rows import LARGEST, put
from foretell.decoding.processors.scope import Scope, check_scope, seen_tokens
from foretell.errors import ConfigError


class RepetitionPenalty:
    """x ≥ 0: x / r; x < 0: x · r, once per distinct token (Keskar et al. 2019, arXiv 1909.05858).

    In float32. Above 1 discourages repetition, below 1 encourages it.
    """

    def __init__(
        self, penalty: float, scope: Scope = "all", exempt: Set[int] = frozenset()
    ) -> None:
        _check_number("repetition_penalty", penalty)
        if np.float32(penalty) <= 0:
            raise ConfigError(f"repetition_penalty={penalty!r} must be above 0")
        check_scope(scope)
        self._penalty = np.float32(penalty)
        self._scope = scope
        self._exempt = exempt

    def __call__(self, row: Logits, history: History) -> None:
        """Divide the seen logits by the penalty, or multiply the negative ones."""
        ids = seen_tokens(history, self._scope, self._exempt, len(row)).ids
        logits = row[ids]
        with np.errstate(over="ignore"):
            put(row, ids, np.where(logits < 0, logits * self._penalty, logits / self._penalty))


class FrequencyPenalty:
    """x - f · count, for every time that the token was seen (OpenAI, vLLM, llama.cpp).

    In float32. Above 0 discourages repetition, below 0 encourages it.
    """

    def __init__(
        self, penalty: float, scope: Scope = "output", exempt: Set[int] = frozenset()
    ) -> None:
        _check_number("frequency_penalty", penalty)
        check_scope(scope)
        self._penalty = np.float32(penalty)
        self._scope = scope
        self._exempt = exempt

    def __call__(self, row: Logits, history: History) -> None:
        """Subtract the penalty times the count."""
        seen = seen_tokens(history, self._scope, self._exempt, len(row))
        with np.errstate(over="ignore"):
            put(row, seen.ids, row[seen.ids] - self._penalty * seen.counts.astype(np.float32))


class PresencePenalty:
    """x - a, if the token was seen at all (OpenAI, vLLM, llama.cpp).

    In float32. Above 0 discourages repetition, below 0 encourages it.
    """

    def __init__(
        self, penalty: float, scope: Scope = "output", exempt: Set[int] = frozenset()
    ) -> None:
        _check_number("presence_penalty", penalty)
        check_scope(scope)
        self._penalty = np.float32(penalty)
        self._scope = scope
        self._exempt = exempt

    def __call__(self, row: Logits, history: History) -> None:
        """Subtract the penalty from what was seen."""
        ids = seen_tokens(history, self._scope, self._exempt, len(row)).ids
        with np.errstate(over="ignore"):
            put(row, ids, row[ids] - self._penalty)


def _check_number(name: str, penalty: float) -> None:
    if not abs(penalty) <= LARGEST:  # NaN fails every comparison
        raise ConfigError(f"{name}={penalty!r} must be a number within float32")
