"""A sequence: ids that grow, and the KV blocks that hold what was computed of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from collections.abc import Sequence as Items
from typing import Any

import numpy as np

from foretell.backends.base import IntArray

KEY_BYTES = 16
NO_BLOCKS: IntArray = np.empty(0, dtype=np.int32)


class Sequence:
    """Token ids that grow.

    Attributes:
        index: which of its request's samples this is, from 0.
        is_visible: whether the user sees it; a negative prompt's is hidden.
        tokens: ids of the prompt and of all that was generated.
        num_prompt_tokens: how many of them are the prompt's.
        num_computed: how many of them have their keys and values in the blocks.
        num_reached: prompt tokens that once had, before it was last preempted too.
        blocks: the KV blocks it holds, in order of position.
        table: the same, `(len(blocks),)` int32.
        follower: what a drafter knows of it.
        num_drafts: guessed tokens that are computed behind it in this step, until it is reported.
    """

    def __init__(self, index: int, prompt: Iterable[int], *, is_visible: bool = True) -> None:
        self.index = index
        self.is_visible = is_visible
        self.tokens = list(prompt)
        self.num_prompt_tokens = len(self.tokens)
        self.num_computed = self.num_reached = 0
        self.blocks: list[int] = []
        self.table: IntArray = NO_BLOCKS
        self.follower: Any = None
        self.num_drafts = 0
        self._keys: list[bytes] = []

    @property
    def num_pending(self) -> int:
        """Tokens that are still to be computed; 1 while decoding."""
        return len(self.tokens) - self.num_computed

    @property
    def is_decoding(self) -> bool:
        """Whether one generated token is all that is still to be computed."""
        return len(self.tokens) - 1 == self.num_computed >= self.num_prompt_tokens

    def fork(self, index: int) -> Sequence:
        """A sequence with the same past, that names the same blocks (which the pool must share)."""
        child = Sequence(index, self.tokens, is_visible=self.is_visible)
        child.num_prompt_tokens = self.num_prompt_tokens
        child.num_computed, child.num_reached = self.num_computed, self.num_reached
        child.blocks, child.table = [*self.blocks], self.table
        child._keys = [*self._keys]
        return child

    def add_blocks(self, blocks: Iterable[int]) -> None:
        """Hold these blocks too, behind the others."""
        self.blocks += blocks
        self.table = np.array(self.blocks, dtype=np.int32)

    def replace_block(self, index: int, block: int) -> None:
        """Hold another block in place of its block number `index`."""
        self.blocks[index] = block
        self.table = np.array(self.blocks, dtype=np.int32)

    def cut_blocks(self, count: int) -> list[int]:
        """Hold the first `count` blocks alone; gives those behind them."""
        kept, blocks = self.blocks[:count], self.blocks[count:]
        if blocks:
            self.blocks, self.table = kept, self.table[:count]
        return blocks

    def drop_blocks(self) -> list[int]:
        """Hold no block, so that all is to be computed anew; gives those held so far."""
        blocks, self.blocks, self.table = self.blocks, [], NO_BLOCKS
        self.num_computed = 0
        return blocks

    def keys(self, root: bytes, block_size: int) -> Items[bytes]:
        """For each full block of tokens a key that stands for them and all tokens before them.

        A chain of hashes that begins with `root`. The same root and size must be given each time.
        """
        for index in range(len(self._keys), len(self.tokens) // block_size):
            parent = self._keys[-1] if self._keys else root
            tokens = self.tokens[index * block_size : (index + 1) * block_size]
            content = np.array(tokens, dtype=np.int32).tobytes()
            self._keys.append(hashlib.blake2b(parent + content, digest_size=KEY_BYTES).digest())
        return self._keys
