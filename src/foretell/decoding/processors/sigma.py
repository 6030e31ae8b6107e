"""Top-n-sigma: a cut by the spread of the logits."""

from __future__ import annotations

import numpy as np

from foretell.config import RANGES, GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, min_tokens
from foretell.decoding.processors.rows import cut
from foretell.utils.arrays import Logits


class TopNSigma:
    """Keep x_i ≥ max x - n·σ (Tang et al. 2024, arXiv 2411.07641).

    σ is the population standard deviation of the logits still possible, as in llama.cpp. A
    temperature before it does not change what is kept. n > 0; 0 is off. The `min_tokens_to_keep`
    largest logits and those that equal them always stay.
    """

    def __init__(self, n: float, min_tokens_to_keep: int = 1) -> None:
        RANGES["top_n_sigma"].check("top_n_sigma", n)
        RANGES["min_tokens_to_keep"].check("min_tokens_to_keep", min_tokens_to_keep)
        self._n = n
        self._min_tokens = min_tokens_to_keep

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what lies too far below the largest logit."""
        if self._n == 0:
            return
        logits = row.astype(np.float64)  # float32 would round the threshold
        possible = logits[logits > -np.inf]
        threshold = possible.max() - self._n * possible.std()
        cut(row, logits < threshold, self._min_tokens)


def _top_n_sigma(n: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return TopNSigma(n, min_tokens(config)) if n else None


BUILDERS: dict[str, Builder] = {"top_n_sigma": _top_n_sigma}
