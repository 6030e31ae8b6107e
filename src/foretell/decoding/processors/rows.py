"""How processors write into a row: bounded, and never so that no token is left."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from foretell.decoding.ranks import kth_largest
from foretell.errors import ConfigError, NumericalError
from foretell.utils.arrays import Logits

LARGEST = float(np.finfo(np.float32).max)

Ids = NDArray[np.int64]
"""Token ids, `(n,)`."""


def as_ids(setting: str, ids: Iterable[int]) -> Ids:
    """Distinct token ids, ascending; ConfigError if there are none, or one is negative."""
    result = np.unique(np.array(list(ids), dtype=np.int64))
    if not len(result):
        raise ConfigError(f"{setting} has no token id: must have at least one")
    if result[0] < 0:
        raise ConfigError(f"{setting} has the token id {result[0]}: must be 0 or more")
    return result


def check_within(setting: str, ids: Ids, row: Logits) -> None:
    """Raise ConfigError if any of the ascending ids lies beyond the row's vocabulary."""
    if ids[-1] >= len(row):
        raise ConfigError(
            f"{setting} has the token id {ids[-1]}: must be below the vocabulary size {len(row)}"
        )


def within(ids: Ids, row: Logits) -> Ids:
    """Those of the ids that the row's vocabulary has."""
    return ids[ids < len(row)]


def rule_out(row: Logits, ids: Ids, setting: str) -> None:
    """Set these logits to -inf; NumericalError, naming the setting, if no token is left."""
    row[ids] = -np.inf
    check_possible(row, setting)


def check_possible(row: Logits, setting: str) -> None:
    """Raise NumericalError, naming the setting, if every token is ruled out."""
    if row.max() == -np.inf:
        raise NumericalError(
            f"{setting} leaves no token possible: at least one token must stay allowed"
        )


def cut(row: Logits, unlikely: NDArray[np.bool_], at_least: int) -> None:
    """Rule out what is unlikely, but for the `at_least` largest logits and those that equal them.

    transformers' `min_tokens_to_keep`.
    """
    if at_least < len(row):
        least = row.max() if at_least == 1 else kth_largest(row, at_least)
        np.putmask(row, unlikely & (row < least), -np.inf)


def put(row: Logits, ids: Ids, logits: NDArray[np.floating]) -> None:
    """Write logits where a token is still possible, within the bounds of finite float32."""
    possible = row[ids] > -np.inf
    row[ids[possible]] = np.clip(logits[possible], -LARGEST, LARGEST)
