"""A bar of a model's bytes, while it is loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from foretell.utils.progress import is_watched, open_bar

LARGE = 500_000_000  # bytes; smaller models are there in a second


@contextlib.contextmanager
def loading_bar(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """A bar of the `size` bytes of a model's weights, where somebody watches; for large ones alone.

    The yielded function takes the number of bytes done since its last call.
    """
    done = 0
    with open_bar(f"Loading {name}", size, "bytes", asked=size >= LARGE and is_watched()) as show:

        def add(num_bytes: int) -> None:
            nonlocal done
            done += num_bytes
            show(done, "")

        yield add
