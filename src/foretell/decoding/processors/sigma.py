"""Top-n-sigma: a cut by the spread of the logits (row 5 of the design)."""

from __future__ import annotations

import numpy as np

from foretell.decoding.arrays import Logits
from foretell.decoding.processors.base import History


class TopNSigma:
    """Keep x_i ≥ max x - n·σ, σ the standard deviation of the finite logits (arXiv 2411.07641).

    A temperature before it changes nothing of what is kept. n > 0; the largest logit always stays.
    """

    def __init__(self, n: float) -> None:
        self._n = n

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what lies too far below the largest logit."""
        finite = row[np.isfinite(row)].astype(np.float64)
        threshold = finite.max() - self._n * finite.std()
        np.putmask(row, row < threshold, -np.inf)
