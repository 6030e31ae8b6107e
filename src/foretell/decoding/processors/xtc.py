"""XTC, "exclude top choices": now and then, not the obvious (row 5 of the design)."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from foretell.decoding.arrays import Logits
from foretell.decoding.logprobs import softmax
from foretell.decoding.philox import uniform
from foretell.decoding.processors.base import History

COIN = 1  # the stream of random numbers that the coin takes: not that of the draw


class XTC:
    """With a probability, of the tokens with p ≥ threshold all but the least likely are taken out.

    As in llama.cpp; the idea is p-e-w's. Fewer than two such tokens: nothing happens, and so with a
    threshold above 0.5. Exempt tokens are never taken out (mlx-lm spares newline and end of
    sequence so). The coin is a draw of its own for each position of each sequence.
    """

    def __init__(
        self, probability: float, threshold: float, seed: int, exempt: Set[int] = frozenset()
    ) -> None:
        self._probability = probability
        self._threshold = threshold
        self._seed = seed
        self._exempt = np.array(sorted(exempt), dtype=np.intp)

    def __call__(self, row: Logits, history: History) -> None:
        """Toss the coin, and take the likeliest out."""
        coin = uniform(self._seed, history.index, len(history.tokens), stream=COIN)
        if coin >= self._probability or self._threshold > 0.5:
            return
        ids = np.flatnonzero(softmax(row) >= self._threshold)
        if len(ids) < 2:
            return
        order = np.argsort(-row[ids], kind="stable")
        top = ids[order[:-1]]
        row[top[~np.isin(top, self._exempt)]] = -np.inf
