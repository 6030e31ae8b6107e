"""A bar of a model's bytes on stderr, while it is loaded."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

LARGE = 500_000_000  # bytes; smaller models are there in a second


@contextlib.contextmanager
def loading_bar(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """A bar of the `size` bytes of a model's weights, on a terminal and for large models alone.

    The yielded function takes the number of bytes done since its last call.
    """
    if size < LARGE or sys.stderr is None or not sys.stderr.isatty():
        yield lambda num_bytes: None
        return
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress

    columns = (*Progress.get_default_columns(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Loading {name}", total=size)
        yield lambda num_bytes: bar.advance(task, num_bytes)
