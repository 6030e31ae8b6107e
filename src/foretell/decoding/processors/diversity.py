"""Hamming diversity: groups of beams held off from each other's tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from foretell.config import RANGES, GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder
from foretell.utils.arrays import Logits


class HammingDiversity:
    """x - penalty · (how many beams of earlier groups have just said the token).

    Vijayakumar et al. 2016, arXiv 1610.02424, as in transformers.
    """

    def __init__(self, penalty: float) -> None:
        RANGES["diversity_penalty"].check("diversity_penalty", penalty)
        self._penalty = np.float32(penalty)
        self._taken_off: list[tuple[int, np.float32]] = []

    def hear(self, said: Sequence[int]) -> None:
        """Take note of those beams' tokens, before each step of a group."""
        counts = Counter(said).items()
        self._taken_off = [
            (token_id, self._penalty * np.float32(many)) for token_id, many in counts
        ]

    def __call__(self, row: Logits, history: History) -> None:
        """Take off the penalty, once for each time that a token was said."""
        for token_id, penalty in self._taken_off:
            row[token_id] -= penalty


def _diversity(penalty: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return HammingDiversity(penalty) if penalty else None


BUILDERS: dict[str, Builder] = {"diversity_penalty": _diversity}
