"""A watermark: tokens that are made likelier, and can be found again (Kirchenbauer et al. 2023).

arXiv 2301.10226 and 2306.04634. Which tokens are green is transformers' to the last one: it draws
them by `torch.randperm`, which is computed here without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from foretell.config import GenerationConfig
from foretell.config.validators import Watermark
from foretell.decoding.context import ChainContext
from foretell.decoding.fused import _sampling
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder
from foretell.decoding.ranks import top_ids
from foretell.utils.arrays import Logits

TABLE_SIZE = 1_000_003
NUM_TRIED = 40
"""Tokens that "selfhash" looks at, likeliest first."""

Ids = NDArray[np.int32]


class GreenTokens:
    """Finds which tokens are green.

    Args:
        watermark: what marks.
        vocab_size: tokens in all.
    """

    def __init__(self, watermark: Watermark, vocab_size: int) -> None:
        self._key = watermark.hashing_key
        self._width = watermark.context_width
        self._vocab_size = vocab_size
        self._count = int(vocab_size * watermark.greenlist_ratio)
        self.is_self_hashed = watermark.seeding_scheme == "selfhash"

    def behind(self, tokens: Sequence[int]) -> Ids:
        """The green tokens behind these; with "selfhash", those that the last of these is among."""
        seed = self._seed(tokens) % (2**64 - 1) % 2**32
        return _sampling.permutation(seed, self._vocab_size, self._count)

    def _seed(self, tokens: Sequence[int]) -> int:
        if not self.is_self_hashed:
            return self._key * tokens[-1]
        hashes = _table(self._key % 2**32)[np.array(tokens[-self._width :]) % TABLE_SIZE] + 1
        with np.errstate(over="ignore"):  # as torch's, in 64 bits
            products = np.int64(self._key) * hashes * hashes[-1]
        return int(products.min())


@lru_cache(maxsize=4)
def _table(seed: int) -> NDArray[np.int64]:
    return _sampling.permutation(seed, TABLE_SIZE, TABLE_SIZE).astype(np.int64)


class WatermarkBias:
    """Green tokens gain; nothing happens while there are fewer tokens than they depend on."""

    def __init__(self, watermark: Watermark, vocab_size: int) -> None:
        self._green = GreenTokens(watermark, vocab_size)
        self._bias = np.float32(watermark.bias)
        self._width = watermark.context_width

    def __call__(self, row: Logits, history: History) -> None:
        """Add the bias."""
        tokens = history.tokens
        if len(tokens) < self._width:
            return
        if self._green.is_self_hashed:
            row[self._by_themselves(row, tokens)] += self._bias
        else:
            row[self._green.behind(tokens)] += self._bias

    def _by_themselves(self, row: Logits, tokens: Sequence[int]) -> NDArray[np.intp]:
        """Of the likeliest tokens those that are green by what they are themselves."""
        recent = [*tokens[-self._width :]]
        tried = top_ids(row, min(NUM_TRIED, len(row)))
        green = [one for one in tried.tolist() if one in self._green.behind([*recent, one])]
        return np.array(green, dtype=np.intp)


def _watermark(
    watermark: Watermark, config: GenerationConfig, context: ChainContext
) -> Processor | None:
    return WatermarkBias(watermark, context.vocab_size)


BUILDERS: dict[str, Builder] = {"watermark": _watermark}
