"""Guards: rows made valid, and rows made log-probabilities."""

from __future__ import annotations

import numpy as np

from foretell.decoding.processors.base import History
from foretell.decoding.processors.builders import Builder
from foretell.decoding.processors.rows import LARGEST
from foretell.decoding.softmax import log_softmax
from foretell.utils.arrays import Logits


class RemoveInvalidValues:
    """NaN becomes 0, +inf and -inf the largest and the smallest float32 (`remove_invalid_values`).

    The only processor that takes a row without a finite maximum. What was ruled out before it gets
    the smallest logit, and so no probability beside any common one.
    """

    def __call__(self, row: Logits, history: History) -> None:
        """Replace what is not finite."""
        np.nan_to_num(row, copy=False, nan=0.0, posinf=LARGEST, neginf=-LARGEST)


class Renormalize:
    """Log-softmax of the row: logits become natural-log probabilities (`renormalize_logits`).

    Summed in float64. Ruled-out tokens stay so, and nothing else is ruled out, unless its
    log-probability leaves float32. NumericalError if no token was possible.
    """

    def __call__(self, row: Logits, history: History) -> None:
        """Replace logits by log-probabilities."""
        with np.errstate(over="ignore"):
            row[:] = log_softmax(row)


BUILDERS: dict[str, Builder] = {
    "remove_invalid_values": lambda *_: RemoveInvalidValues(),
    "renormalize_logits": lambda *_: Renormalize(),
}
