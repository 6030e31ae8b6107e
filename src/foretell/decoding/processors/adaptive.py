"""Adaptive-p: aims at a given probability of the chosen tokens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.config import RANGES, GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, in_force
from foretell.decoding.softmax import softmax
from foretell.utils.arrays import Logits

WIDTH = 0.3  # the distance from the aim that counts as 1
PEAK = 5.0
SHARPNESS = 10.0


class AdaptiveP:
    """x_i = 5 - 10 · d² / (1 + d), d = |p_i - aim| / 0.3, as in llama.cpp.

    aim = 2 · target - m, clamped to 0 … 1, with m the mean of the probabilities p chosen so far,
    each step's weight `decay` times the next one's: after likely tokens it asks for unlikely ones.
    m begins at the target, as after endless steps that met it. 0 ≤ target ≤ 1,
    0 ≤ decay ≤ 0.99. Nothing is ruled out; what was ruled out before stays so.

    One object per sequence: `accept` takes what was chosen.
    """

    def __init__(self, target: float, decay: float) -> None:
        RANGES["adaptive_target"].check("adaptive_target", target)
        RANGES["adaptive_decay"].check("adaptive_decay", decay)
        self._target = target
        self._decay = decay
        self._weighted_sum = target / (1 - decay)
        self._total_weight = 1 / (1 - decay)
        self._probabilities: NDArray[np.float64] | None = None

    def __call__(self, row: Logits, history: History) -> None:
        """Weigh each token by how near its probability lies to the aim."""
        probabilities = softmax(row)
        mean = self._weighted_sum / self._total_weight
        aim = min(1.0, max(0.0, 2 * self._target - mean))
        distances = np.abs(probabilities - aim) / WIDTH
        weighed = PEAK - SHARPNESS * distances**2 / (1 + distances)
        np.copyto(row, weighed, casting="same_kind", where=row > -np.inf)
        self._probabilities = probabilities

    def accept(self, token_id: int) -> None:
        """Take into the mean the probability that the token had before it was reweighed."""
        if self._probabilities is None:  # nothing was processed, so there is nothing to learn
            return
        self._weighted_sum *= self._decay
        self._weighted_sum += float(self._probabilities[token_id])
        self._total_weight = 1 + self._decay * self._total_weight


def _adaptive(target: float, config: GenerationConfig, _: ChainContext) -> Processor:
    return AdaptiveP(target, in_force("adaptive_decay", config))


BUILDERS: dict[str, Builder] = {"adaptive_target": _adaptive}
