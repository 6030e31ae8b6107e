"""Top-n-sigma: a cut by the spread of the logits."""

from __future__ import annotations

import numpy as np

from foretell.config import RANGES
from foretell.decoding.processors.base import History
from foretell.decoding.processors.builders import Builder
from foretell.utils.arrays import Logits


class TopNSigma:
    """Keep x_i ≥ max x - n·σ (Tang et al. 2024, arXiv 2411.07641).

    σ is the population standard deviation of the logits still possible, as in llama.cpp. A
    temperature before it does not change what is kept. n > 0; 0 is off. The largest logits always
    stay.
    """

    def __init__(self, n: float) -> None:
        RANGES["top_n_sigma"].check("top_n_sigma", n)
        self._n = n

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what lies too far below the largest logit."""
        if self._n == 0:
            return
        logits = row.astype(np.float64)  # float32 would round the threshold
        possible = logits[logits > -np.inf]
        threshold = possible.max() - self._n * possible.std()
        np.putmask(row, logits < threshold, -np.inf)


BUILDERS: dict[str, Builder] = {"top_n_sigma": lambda n, *_: TopNSigma(n) if n else None}
