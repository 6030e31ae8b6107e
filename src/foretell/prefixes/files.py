"""A prefix's file, written whole or not at all, and read with every byte checked.

Blocks are read into memory of our own and hashed there: a file that is changed or cut short
meanwhile is found damaged, and nothing else can come of it (a map could end the process).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import numpy as np

from foretell.backends.base import Bytes
from foretell.errors import ForetellError, PrefixFileError
from foretell.prefixes.header import (
    START_BYTES,
    Header,
    damaged,
    read_header,
    read_start,
)
from foretell.utils.files import check_place, replacing
from foretell.utils.quoting import escape


class PrefixWriter:
    """Writes a file: its blocks one after the other, then its head.

    Args:
        file: open for writing, empty.
        header: of what comes.

    Attributes:
        sha256: of the head, once that is written.
    """

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file = file
        self._header = header
        self._digests: list[bytes] = []
        self.sha256 = ""
        file.seek(header.offset)

    def add(self, block: Bytes) -> None:
        """Write the next block."""
        self._digests.append(hashlib.sha256(block.data).digest())
        self._file.write(block.data)

    def finish(self) -> None:
        """Write the head, which says that all is there."""
        self._file.seek(0)
        head, self.sha256 = self._header.encode(self._digests)
        self._file.write(head)


@contextmanager
def prefix_writer(path: Path, header: Header) -> Iterator[PrefixWriter]:
    """A writer whose file is in its place when the block is left; what was there stays until then.

    PrefixFileError if it cannot be written.
    """
    try:
        with replacing(path) as file:
            writer = PrefixWriter(file, header)
            yield writer
            writer.finish()
    except ForetellError:  # some are OSErrors or ValueErrors too
        raise
    except OSError as error:
        raise unusable(path, "written", error) from None


class PrefixReader:
    """An open file whose head is right.

    Attributes:
        header: what it says of the blocks.
        sha256: of the head, which stands for the whole file.
    """

    def __init__(self, file: BufferedReader, source: str) -> None:
        self._file = file
        self._source = source
        size = os.fstat(file.fileno()).st_size
        start = read_start(file.read(START_BYTES), source)
        rest_bytes = start.head_bytes - START_BYTES
        rest = file.read(rest_bytes) if start.head_bytes <= size else b""
        if len(rest) != rest_bytes:
            raise damaged(source, f"it ends within its head, after {size} bytes")
        self.header, self._digests = read_header(start, rest, source)
        self.sha256 = start.sha256.hex()
        if size != self.header.num_bytes:
            raise damaged(source, f"it has {size} bytes and must have {self.header.num_bytes}")

    def blocks(self, count: int) -> Iterator[Sequence[Bytes]]:
        """All blocks in order, up to `count` at a time, each as its hash says.

        PrefixFileError at the first that is not.
        """
        self._file.seek(self.header.offset)
        for begin in range(0, self.header.num_blocks, count):
            end = min(begin + count, self.header.num_blocks)
            yield [self._read(index) for index in range(begin, end)]

    def _read(self, index: int) -> Bytes:
        data = np.empty(self.header.block_bytes, np.uint8)
        num_read = self._file.readinto(data.data)
        if num_read != len(data) or hashlib.sha256(data.data).digest() != self._digests[index]:
            where = f"block {index + 1} of {self.header.num_blocks}"
            raise damaged(self._source, f"the hash of {where} is wrong")
        return data


@contextmanager
def prefix_reader(path: Path) -> Iterator[PrefixReader]:
    """A reader of a file; PrefixFileError if it cannot be read, or is none."""
    try:
        with _open_regular(path) as file:
            yield PrefixReader(file, escape(path))
    except ForetellError:
        raise
    except OSError as error:
        raise unusable(path, "read", error) from None
    except ValueError as error:  # a NUL in the path
        raise PrefixFileError(f"{escape(path)} cannot be read: {error}") from None


def _open_regular(path: Path) -> BufferedReader:
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise PrefixFileError(f"{escape(path)} is not a regular file")
    return path.open("rb")


def check_writable(path: Path) -> None:
    """PrefixFileError if no file can be written there, as far as can be told before."""
    try:
        check_place(path)
    except OSError as error:
        raise unusable(path, "written", error) from None


def unusable(path: Path, verb: str, error: OSError) -> PrefixFileError:
    """What is raised where the system refuses."""
    return PrefixFileError(f"{escape(path)} cannot be {verb}: {error.strerror or error}")
