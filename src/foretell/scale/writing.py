"""Files of a job: whole or not there, and what a disk that does not take them is told as."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foretell.errors import ConfigError
from foretell.utils.files import partial_beside
from foretell.utils.quoting import escape


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """ConfigError for what the system refuses in the block, such as a full disk."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{escape(path)} cannot be written: {error.strerror or error}; what is done stays, and "
            "the same command goes on from there"
        ) from error


def put(path: Path, data: bytes) -> None:
    """Write a file beside its place, let the disk have it, and move it there.

    ConfigError if the disk does not take it: nothing of it is left.
    """
    partial = partial_beside(path)
    with writing(path):
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
