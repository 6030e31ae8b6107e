"""Adaptive-p: aims at a given probability of the chosen tokens (row 5 of the design)."""

from __future__ import annotations

import numpy as np

from foretell.decoding.arrays import Logits
from foretell.decoding.logprobs import softmax
from foretell.decoding.processors.base import History

WIDTH = 0.3  # how far from the target a token's probability may lie
PEAK = 5.0
SHARPNESS = 10.0


class AdaptiveP:
    """Each logit becomes 5 - 10 · d² / (1 + d), d = |p - target| / 0.3, as in llama.cpp.

    The target of a step is 2 · `target` less the decaying mean of the probabilities chosen so far,
    clamped to 0 … 1: after likely tokens it asks for unlikely ones. 0 ≤ target ≤ 1, 0 ≤ decay < 1.
    What was ruled out before stays so.
    """

    def __init__(self, target: float, decay: float) -> None:
        self._target = target
        self._decay = decay
        self._sum = target / (1 - decay)
        self._weight = 1 / (1 - decay)
        self._probabilities = np.empty(0)

    def __call__(self, row: Logits, history: History) -> None:
        """Weigh each token by how near its probability lies to the step's target."""
        self._probabilities = softmax(row)
        aim = min(1.0, max(0.0, 2 * self._target - self._sum / self._weight))
        distance = np.abs(self._probabilities - aim) / WIDTH
        weighed = PEAK - SHARPNESS * distance**2 / (1 + distance)
        possible = row > -np.inf
        row[possible] = weighed[possible]

    def accept(self, token_id: int) -> None:
        """Take the chosen token's probability into the mean."""
        self._sum = float(self._probabilities[token_id]) + self._decay * self._sum
        self._weight = 1 + self._decay * self._weight
