"""Who holds which KV block: allocate, share, free; and find again.

A full block may be given a key, which stands for its tokens and all before them. When nobody
holds it any more it keeps its content, and can be taken again by that key until it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable

from foretell.errors import RequestError


class BlockPool:
    """The KV blocks of a backend, each with the number of sequences that hold it.

    Args:
        num_blocks: blocks in all, numbered from 0.
        keeps: whether a block that nobody holds any more can still be taken by its key.
    """

    def __init__(self, num_blocks: int, *, keeps: bool = True) -> None:
        self.num_blocks = num_blocks
        self._keeps = keeps
        self._empty = list(reversed(range(num_blocks)))  # free, without a key
        self._kept: dict[int, None] = {}  # free, with a key; the first was used longest ago
        self._ref_counts = [0] * num_blocks
        self._key_of: dict[int, bytes] = {}
        self._block_of: dict[bytes, int] = {}

    @property
    def num_free(self) -> int:
        """Blocks that nobody holds."""
        return len(self._empty) + len(self._kept)

    @property
    def num_empty(self) -> int:
        """Those of the free blocks that can be taken by no key: nothing is lost with them."""
        return len(self._empty)

    @property
    def num_kept(self) -> int:
        """Those of the free blocks that can be taken by their key."""
        return len(self._kept)

    def allocate(self, count: int) -> list[int]:
        """Take `count` free blocks, with one reference each; RequestError if there are fewer.

        Those without a key go first, then those used longest ago.
        """
        if count > self.num_free:
            raise RequestError(
                f"{count} KV blocks are wanted, {self.num_free} of {self.num_blocks} are free"
            )
        blocks = [self._empty.pop() if self._empty else self._evict() for _ in range(count)]
        for block in blocks:
            self._ref_counts[block] = 1
        return blocks

    def share(self, blocks: Iterable[int]) -> None:
        """Count one more reference to each block."""
        for block in blocks:
            self._check_held(block)
            self._ref_counts[block] += 1

    def free(self, blocks: Iterable[int]) -> None:
        """Count one reference less to each block, given in order of position.

        Of those that nobody holds any more, the last ones lose their content first: what comes
        before a block is of use to more sequences.
        """
        for block in reversed([*blocks]):
            self._check_held(block)
            self._ref_counts[block] -= 1
            if self._ref_counts[block] == 0:
                self._release(block)

    def name(self, block: int, key: bytes) -> None:
        """Give a held, full block its key; nothing happens if another block has it already."""
        if not self._ref_counts[block]:
            self._check_held(block)
        if key not in self._block_of and block not in self._key_of:
            self._block_of[key] = block
            self._key_of[block] = key

    def find(self, key: bytes) -> int | None:
        """The block that has this key, held or free."""
        return self._block_of.get(key)

    def take(self, key: bytes) -> int | None:
        """Count one more reference to the block that has this key; None if there is none."""
        block = self._block_of.get(key)
        if block is not None:
            self._kept.pop(block, None)
            self._ref_counts[block] += 1
        return block

    def rename(self, key: bytes, new: bytes) -> None:
        """Give the block that has `key` another one, which no block has."""
        block = self._block_of.pop(key)
        self._block_of[new] = block
        self._key_of[block] = new

    def forget(self, key: bytes) -> None:
        """Let the block that has this key be found no more; nothing happens if there is none."""
        block = self._block_of.pop(key, None)
        if block is None:
            return
        del self._key_of[block]
        if block in self._kept:
            del self._kept[block]
            self._empty.append(block)

    def ref_count(self, block: int) -> int:
        """The number of sequences that hold this block; 0 if it is free."""
        return self._ref_counts[block]

    def _release(self, block: int) -> None:
        if block not in self._key_of:
            self._empty.append(block)
            return
        self._kept[block] = None
        if not self._keeps:
            self._empty.append(self._evict())

    def _evict(self) -> int:
        """The kept block that was used longest ago, without its key."""
        block = next(iter(self._kept))
        del self._kept[block]
        del self._block_of[self._key_of.pop(block)]
        return block

    def _check_held(self, block: int) -> None:
        if self._ref_counts[block] == 0:
            raise ValueError(f"KV block {block} is free: only a held block can be shared or freed")
