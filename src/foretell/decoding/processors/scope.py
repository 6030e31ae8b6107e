"""What a penalty looks back on."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.config.choices import SCOPE_NAMES, Scope
from foretell.decoding.processors.base import History
from foretell.errors import ConfigError

__all__ = ["Scope", "SeenTokens", "check_scope", "scoped_tokens", "seen_tokens"]


class SeenTokens(NamedTuple):
    """Distinct ids, ascending `(n,)` int64, and how often each was seen, `(n,)` int64."""

    ids: NDArray[np.int64]
    counts: NDArray[np.int64]


def check_scope(scope: Scope) -> None:
    """Raise ConfigError unless this is a scope."""
    is_count = isinstance(scope, int) and not isinstance(scope, bool) and scope >= 0
    if not is_count and scope not in SCOPE_NAMES:
        raise ConfigError(
            f'penalty_scope={scope!r} must be "prompt", "output", "all", '
            f"or how many of the last tokens to look back on"
        )


def scoped_tokens(history: History, scope: Scope) -> Sequence[int]:
    """The ids within the scope, in order; a number is the last n of prompt and output together."""
    tokens = history.tokens
    if scope == "all":
        return tokens
    if scope == "prompt":
        return tokens[: history.num_prompt_tokens]
    if scope == "output":
        return tokens[history.num_prompt_tokens :]
    return tokens[max(len(tokens) - scope, 0) :]


def seen_tokens(history: History, scope: Scope, exempt: Set[int], vocab_size: int) -> SeenTokens:
    """Count the ids within the scope, but for exempt ones and those beyond the vocabulary."""
    ids, counts = np.unique(
        np.asarray(scoped_tokens(history, scope), dtype=np.int64), return_counts=True
    )
    counted = ids < vocab_size
    if exempt:
        counted &= ~np.isin(ids, np.fromiter(exempt, dtype=np.int64))
    return SeenTokens(ids[counted], counts[counted])
