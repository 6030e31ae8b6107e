"""A sequence: ids that grow, and the KV blocks that hold what was computed of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from foretell.backends.base import IntArray


class Sequence:
    """One line of token ids.

    Attributes:
        index: which of its request's sequences this is, from 0.
        tokens: ids of the prompt and of all that was generated.
        num_prompt_tokens: how many of them are the prompt's.
        num_computed: how many of them have their keys and values in the blocks.
        blocks: the KV blocks it holds, in order of position.
    """

    def __init__(self, index: int, prompt: Iterable[int]) -> None:
        self.index = index
        self.tokens = list(prompt)
        self.num_prompt_tokens = len(self.tokens)
        self.num_computed = 0
        self.blocks: list[int] = []
        self._table = np.empty(0, dtype=np.int32)

    @property
    def num_pending(self) -> int:
        """Tokens that are still to be computed; 1 while decoding."""
        return len(self.tokens) - self.num_computed

    @property
    def is_decoding(self) -> bool:
        """Whether the whole prompt has been computed."""
        return self.num_computed >= self.num_prompt_tokens

    def hold(self, blocks: list[int]) -> None:
        """Take these blocks in place of those held so far."""
        self.blocks = blocks
        self._table = np.array(blocks, dtype=np.int32)

    def table(self, num_blocks: int) -> IntArray:
        """The first `num_blocks` blocks, `(num_blocks,)` int32."""
        return self._table[:num_blocks]
