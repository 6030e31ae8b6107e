"""A bar of finished texts on stderr."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretell.outputs import Chunk


@contextlib.contextmanager
def progress_bar(total: int) -> Iterator[Callable[[Chunk], None]]:
    """A bar on stderr: of `total` texts the finished ones, and tokens/s over the time so far.

    The yielded function takes each chunk. There is no bar for a total of 0.
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
