"""A file's bytes, mapped into memory and never written.

A map is of the file that was opened: one that is deleted, or replaced as by a download, stays as
it was for whoever has it mapped (Windows refuses both meanwhile). One thing is out of reach: a file
that another process cuts short or writes to in place. Where pages are read that are gone, this
process ends with SIGBUS, as with every memory map; what was written is read. Models are mapped
while they are loaded, and those whose embeddings are looked up in the map as long as they run.
"""

from __future__ import annotations

import errno
import mmap
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foretell.errors import ModelFileError, ModelNotFoundError, OutOfMemoryError
from foretell.utils.quoting import escape


@contextmanager
def mapped_file(path: Path, kind: str, suffix: str) -> Iterator[mmap.mmap]:
    """Map a regular file, read-only, and keep the map unless the block raises.

    `kind` ("a GGUF file") and `suffix` are for messages.

    Raises:
        ModelNotFoundError: nothing lies at `path`.
        ModelFileError: it is no regular file, empty or unreadable.
        OutOfMemoryError: the process may not take as much memory.
    """
    mapped = _map(path, kind, suffix)
    try:
        yield mapped
    except BaseException:
        unmap(mapped)
        raise


def _map(path: Path, kind: str, suffix: str) -> mmap.mmap:
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            found = "a directory" if stat.S_ISDIR(info.st_mode) else "not a regular file"
            raise ModelFileError(f"{escape(path)} is {found}: give the path of a {suffix} file")
        if info.st_size == 0:
            raise ModelFileError(f"{escape(path)} is empty, not {kind}: fetch it again")
        with path.open("rb") as file:
            return _map_open(file.fileno(), path, info.st_size)
    except FileNotFoundError:
        raise ModelNotFoundError(f"{escape(path)}: no such file") from None
    except OSError as error:
        raise ModelFileError(f"{escape(path)} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the path, or the file was emptied just now
        raise ModelNotFoundError(f"{str(path)!r} cannot be opened: {error}") from None


def _map_open(handle: int, path: Path, size: int) -> mmap.mmap:
    try:
        return mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        raise OutOfMemoryError(
            f"{escape(path)}: its {size / 1e9:.2f} GB cannot be mapped: there is too little "
            "memory, or this process may not take as much (`ulimit -v`)"
        ) from None


def unmap(mapped: mmap.mmap) -> None:
    """Let go of a map; one of which views are alive goes when the last one does."""
    with suppress(BufferError):
        mapped.close()


def will_need(mapped: mmap.mmap, offset: int, nbytes: int) -> None:
    """Let the system read these bytes ahead, where it can; nothing waits for them."""
    begin = offset - offset % mmap.PAGESIZE
    if nbytes and hasattr(mapped, "madvise"):
        with suppress(OSError):  # it is a hint
            mapped.madvise(mmap.MADV_WILLNEED, begin, offset + nbytes - begin)


def forget_pages(mapped: mmap.mmap, offset: int, nbytes: int) -> None:
    """Give the memory of these bytes' pages back; they are read again if they are needed."""
    begin = offset - offset % mmap.PAGESIZE
    if nbytes and hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED, begin, offset + nbytes - begin)
