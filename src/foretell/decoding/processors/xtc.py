"""XTC, "exclude top choices": now and then, not the obvious."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from foretell.config import RANGES, GenerationConfig
from foretell.config.ranges import MAX_SEED
from foretell.decoding.context import ChainContext
from foretell.decoding.philox import uniform
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, ids, in_force, min_tokens
from foretell.decoding.softmax import softmax
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits

COIN = 1  # the stream of random numbers that the coin takes: not that of the draw


class XTC:
    """With this probability, of the tokens with p ≥ threshold all but the least likely go.

    As in llama.cpp; the idea is from text-generation-webui (pull request 6335). Of equal logits the
    lower id counts as the likelier. With fewer than two such tokens nothing goes, and so with a
    threshold above 0.5; else the least likely of them stays. Nothing goes either if fewer than
    `min_tokens_to_keep` tokens would be left (llama.cpp's `min_keep`). Exempt tokens never go:
    mlx-lm spares the newline and the end of the sequence so. Both numbers are in 0 … 1.

    The coin is a draw of its own for each position of each sequence.
    """

    def __init__(
        self,
        probability: float,
        threshold: float,
        seed: int,
        exempt: Set[int] = frozenset(),
        min_tokens_to_keep: int = 1,
    ) -> None:
        RANGES["xtc_probability"].check("xtc_probability", probability)
        RANGES["xtc_threshold"].check("xtc_threshold", threshold)
        if not 0 <= seed <= MAX_SEED:
            raise ConfigError(f"seed={seed!r} is out of range: must be from 0 to {MAX_SEED}")
        self._probability = probability
        self._threshold = threshold
        self._seed = seed
        RANGES["min_tokens_to_keep"].check("min_tokens_to_keep", min_tokens_to_keep)
        self._min_tokens = min_tokens_to_keep
        self._exempt = np.array(sorted(exempt), dtype=np.intp)

    def __call__(self, row: Logits, history: History) -> None:
        """Toss the coin, and take the likeliest out."""
        if self._threshold > 0.5:
            return
        if uniform(self._seed, history.index, len(history.tokens), COIN) >= self._probability:
            return
        likely = np.flatnonzero((softmax(row) >= self._threshold) & (row > -np.inf))
        if len(likely) < 2:
            return
        falling = likely[np.argsort(-row[likely], kind="stable")]
        gone = np.setdiff1d(falling[:-1], self._exempt)
        if np.count_nonzero(row > -np.inf) - len(gone) >= self._min_tokens:
            row[gone] = -np.inf


def _xtc(probability: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    if not probability:
        return None
    threshold = in_force("xtc_threshold", config)
    exempt = ids(config.xtc_exempt_tokens)
    return XTC(probability, threshold, config.seed or 0, exempt, min_tokens(config))


BUILDERS: dict[str, Builder] = {"xtc_probability": _xtc}
