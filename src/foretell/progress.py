"""Bars on stderr: of finished texts, and of a model that is being loaded."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretell.outputs import Chunk


@contextlib.contextmanager
def progress_bar(total: int) -> Iterator[Callable[[Chunk], None]]:
    """A bar on stderr: of `total` texts the finished ones, and tokens/s over the time so far.

    The yielded function is to be told each chunk. There is no bar for a total of 0.
    """
    if not total:
        yield lambda chunk: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn

    columns = (
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
    )
    started, num_tokens = perf_counter(), 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Generating", total=total, speed="")

        def show(chunk: Chunk) -> None:
            nonlocal num_tokens
            num_tokens += len(chunk.token_ids)
            speed = num_tokens / (perf_counter() - started)
            advance = 0 if chunk.output is None else 1
            bar.update(task, advance=advance, speed=f"{speed:.0f} tokens/s")

        yield show


LARGE = 500_000_000  # bytes; smaller models are there in a second


@contextlib.contextmanager
def loading_bar(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """A bar of the `size` bytes of a model's weights, on a terminal and for large models alone.

    The yielded function is to be told the bytes that were done since the last call.
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
