"""The blocks of a prefix, taken out of an engine's prefix cache and put into it, between steps.

Blocks that are put in have keys of their own at first, by which no request finds them; once all are
there they get the keys that computed ones would have. Nothing is held from step to step: who runs
may take any of them meanwhile, as any block that is kept for later.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import cast

from foretell.backends.base import Bytes, KeepsBlocks
from foretell.engine.engine import Engine


class PrefixBlocks:
    """The full blocks of some tokens, which an engine has or is to have.

    Its methods are called between two steps, by whoever may step the engine.

    Args:
        engine: whose backend keeps blocks.
        tokens: ids, from the first of a prompt on.

    Attributes:
        num_blocks: full blocks of these tokens.
        num_placed: of how many, from the first on, the engine has the content.
        has_room: whether it may take more.
    """

    def __init__(self, engine: Engine, tokens: Sequence[int]) -> None:
        self._engine = engine
        self._backend = cast(KeepsBlocks, engine.backend)
        self._block_size = engine.backend.info.block_size
        self._keys = engine.prefix_keys(tokens)
        secret = secrets.token_bytes(16)
        self._own_keys = [hashlib.blake2b(key, key=secret).digest() for key in self._keys]
        self.num_blocks = len(self._keys)
        self.num_placed = 0
        self.has_room = True

    def read(self, start: int, count: int) -> list[Bytes]:
        """The content of `count` blocks from `start` on, up to the first that is missing."""
        found = []
        for key in self._keys[start : start + count]:
            block = self._engine.pool.find(key)
            if block is None:
                break
            found.append(self._backend.read_block(block))
        return found

    def place(self, blocks: Sequence[Bytes]) -> None:
        """Put the next blocks into free ones, as far as there are any.

        Free blocks that others may want again are taken like any; none of this prefix's own.
        """
        held = self._hold()
        try:
            if len(held) < self.num_placed:  # who runs has taken it meanwhile
                self.num_placed, self.has_room = len(held), False
            for data in blocks if self.has_room else ():
                block = self._engine.pool.take(self._keys[self.num_placed])
                if block is None:
                    if not self._engine.pool.num_free:
                        self.has_room = False
                        return
                    block = self._fill(data)
                held.append(block)
                self.num_placed += 1
        finally:
            self._engine.pool.free(held)

    def publish(self) -> int:
        """Let requests find what was placed and is still there; returns how many blocks."""
        pool = self._engine.pool
        held = self._hold()
        for key, own in zip(self._keys[: len(held)], self._own_keys, strict=False):
            if pool.find(key) is None:
                pool.rename(own, key)
        pool.free(held)
        return len(held)

    def drop(self) -> None:
        """Let go of what was placed and not published."""
        for key in self._own_keys:
            self._engine.pool.forget(key)

    def _hold(self) -> list[int]:
        """The blocks placed so far, up to the first that is gone, each with one more reference."""
        held = []
        for key, own in zip(self._keys[: self.num_placed], self._own_keys, strict=False):
            block = self._engine.pool.take(key)
            if block is None:
                block = self._engine.pool.take(own)
            if block is None:
                break
            held.append(block)
        return held

    def _fill(self, data: Bytes) -> int:
        """A free block, now held, with this content and a key of its own."""
        pool, index = self._engine.pool, self.num_placed
        (block,) = pool.allocate(1)
        try:
            self._backend.write_block(block, data, (index + 1) * self._block_size)
            pool.name(block, self._own_keys[index])
        except BaseException:
            pool.free([block])
            raise
        return block
