"""Files of the user's, written wholly or not at all."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

ABANDONED = 3600.0
"""Seconds after which a part of a file that nobody writes to is no one's any more."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which lies beside `path` until the block is left, and then at it, for good.

    What it holds is on the disk before it is seen. Where the block raises, nothing of it stays.
    Several may write to one path at once: the last one to end has it. Permissions and links are as
    for `write_atomically`; only regular files are replaced. What killed processes left of the same
    file is taken away. OSError where it cannot be written.
    """
    check_place(path)
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    path = Path(os.path.realpath(path))
    sweep_abandoned(path)
    partial = partial_beside(path)
    try:
        with _create(partial, path).open("r+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def partial_beside(path: Path) -> Path:
    """What a file is called until it is whole: a name that nobody else's has.

    Processes of two containers may have one id, and threads have.
    """
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.partial")


def sweep_abandoned(path: Path) -> None:
    """Take away parts of a file that nobody has written to for a while."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder last through a power cut, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside the file first and move it into place, so that it is never seen half written.

    A file that is there keeps its permissions, and a link still leads to it. A device or a pipe is
    written to, never replaced. Raises OSError where the file cannot be written, if only for its
    name; what was there stays.
    """
    check_place(path)
    if path.exists() and not path.is_file():  # /dev/stdout, or a shell's >(command)
        path.write_bytes(data)
        return
    path = Path(os.path.realpath(path))
    partial = partial_beside(path)
    try:
        _create(partial, path).write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Raise OSError, naming `path`, if no file can be written there, as far as can be told before.

    Whoever works for what is to be written asks first.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "a file's name has no NUL", str(path))
    if not path.name or path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        reason = f"{os.strerror(errno.ENOENT)} (its folder is missing)"
        raise FileNotFoundError(errno.ENOENT, reason, str(path))
    is_stream = path.exists() and not path.is_file()
    if not is_stream and not os.access(folder, os.W_OK | os.X_OK):
        reason = f"{os.strerror(errno.EACCES)} (its folder takes no files)"
        raise PermissionError(errno.EACCES, reason, str(path))


def _create(partial: Path, path: Path) -> Path:
    """An empty file that whoever could not read `path` cannot read either."""
    partial.touch()
    if path.exists():
        partial.chmod(stat.S_IMODE(path.stat().st_mode))
    return partial
