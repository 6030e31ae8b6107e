"""The largest logits of a row, without sorting it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.utils.arrays import Logits

GROUP = 64  # logits that share one maximum in `kth_largest`


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
