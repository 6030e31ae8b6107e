"""What a fetch shows the user, on stderr: a bar on a terminal, single lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from foretell.hub.cache import megabytes

ShowProgress = Callable[[int, str], None]
"""Called with the bytes that are there so far, and what is being done."""


def say(text: str) -> None:
    """Print one line on stderr, if there is one to print on."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"foretell: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def download_bar(name: str, size: int, there: int) -> Iterator[ShowProgress]:
    """Show a download of `size` bytes, `there` of which are there, while the block runs."""
    if sys.stderr is None or not sys.stderr.isatty():
        say(f"fetching {name} ({megabytes(size - there)})")
        yield lambda done, doing: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=None),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(compact=True),
    )
    with progress.Progress(*columns, console=Console(stderr=True), expand=True) as bar:
        task = bar.add_task(name, total=size, completed=there)

        def show(done: int, doing: str) -> None:
            bar.update(task, completed=done, description=f"{name}: {doing}")

        yield show
