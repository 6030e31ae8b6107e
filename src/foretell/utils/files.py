"""Files of the user's, written wholly or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside the file first and move it into place, so that it is never seen half written.

    A file that is there keeps its permissions, and a link still leads to it. A device or a pipe is
    written to, never replaced. Raises OSError where the file cannot be written, if only for its
    name; what was there stays.
    """
    if not path.name or path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "a file's name has no NUL", str(path))
    if path.exists() and not path.is_file():  # /dev/stdout, or a shell's >(command)
        path.write_bytes(data)
        return
    path = Path(os.path.realpath(path))
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        _create(partial, path).write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _create(partial: Path, path: Path) -> Path:
    """An empty file that whoever could not read `path` cannot read either."""
    partial.touch()
    if path.exists():
        partial.chmod(stat.S_IMODE(path.stat().st_mode))
    return partial
