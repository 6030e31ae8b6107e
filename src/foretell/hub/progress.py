"""What a fetch shows the user: a bar where somebody watches, a message elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from foretell.hub.cache import megabytes
from foretell.utils.notices import tell
from foretell.utils.progress import ShowProgress, is_watched, open_bar


@contextlib.contextmanager
def download_bar(name: str, size: int, there: int) -> Iterator[ShowProgress]:
    """Show a download of `size` bytes, `there` of which are there, while the block runs."""
    watched = is_watched()
    if not watched:
        tell(f"fetching {name} ({megabytes(size - there)})")
    with open_bar(name, size, "bytes", asked=watched, done=there, stays=True) as show:
        yield show
