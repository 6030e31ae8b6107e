"""Who holds which KV block (row 6 of the design): allocate, share, free."""

from __future__ import annotations

from collections.abc import Iterable

from foretell.errors import RequestError


class BlockPool:
    """The KV blocks of a backend, each counted by how many sequences hold it.

    Attributes:
        num_blocks: blocks in all, numbered from 0.
    """

    def __init__(self, num_blocks: int) -> None:
        self.num_blocks = num_blocks
        self._free = list(reversed(range(num_blocks)))
        self._holders = [0] * num_blocks

    @property
    def num_free(self) -> int:
        """Blocks that nobody holds."""
        return len(self._free)

    def allocate(self, count: int) -> list[int]:
        """Take `count` free blocks, for one holder; RequestError if there are fewer."""
        if count > len(self._free):
            raise RequestError(
                f"{count} KV blocks are wanted, {len(self._free)} of {self.num_blocks} are free"
            )
        blocks = [self._free.pop() for _ in range(count)]
        for block in blocks:
            self._holders[block] = 1
        return blocks

    def share(self, blocks: Iterable[int]) -> None:
        """Count one more holder for each block."""
        for block in blocks:
            self._check_held(block)
            self._holders[block] += 1

    def free(self, blocks: Iterable[int]) -> None:
        """Count one holder less; a block without holders can be allocated again."""
        for block in blocks:
            self._check_held(block)
            self._holders[block] -= 1
            if self._holders[block] == 0:
                self._free.append(block)

    def num_holders(self, block: int) -> int:
        """How many sequences hold this block; 0 if it is free."""
        return self._holders[block]

    def _check_held(self, block: int) -> None:
        if self._holders[block] == 0:
            raise ValueError(f"KV block {block} is free: only a held block can be shared or freed")
