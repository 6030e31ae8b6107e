"""A file's tensors, read by the system before they are packed: the disk works while cores do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

WINDOW = 256 << 20
"""The next tensor is asked for while fewer bytes than this are asked for and not packed yet."""


class ReadAhead:
    """Asks for tensors in order, a window ahead of those that are packed.

    Args:
        tensors: their names and sizes in bytes, in the order in which they will be packed.
        will_need: asks the system for one; it must not wait.
    """

    def __init__(
        self, tensors: Iterable[tuple[str, int]], will_need: Callable[[str], None]
    ) -> None:
        self._tensors = deque(tensors)
        self._will_need = will_need
        self._ahead = 0
        self._ask()

    def packed(self, num_bytes: int) -> None:
        """Ask for more, since so many bytes are packed."""
        self._ahead -= num_bytes
        self._ask()

    def _ask(self) -> None:
        while self._tensors and self._ahead < WINDOW:
            name, num_bytes = self._tensors.popleft()
            self._will_need(name)
            self._ahead += num_bytes
