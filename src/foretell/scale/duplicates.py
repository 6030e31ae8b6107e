"""Ids that come twice among any number of them, found in a memory that does not grow."""

from __future__ import annotations

import hashlib
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from foretell.scale.writing import writing

Hashes = NDArray[np.uint64]

RUN = 2**18
"""Hashes that are sorted at a time: 2 MiB."""

RANGE_BITS = 10
RANGES = 2**RANGE_BITS
_EDGES = np.arange(RANGES + 1, dtype=object) << (64 - RANGE_BITS)


def id_hash(custom_id: str) -> int:
    """64 bits of an id."""
    return int.from_bytes(hashlib.blake2b(custom_id.encode(), digest_size=8).digest(), "little")


class DuplicateFinder:
    """Takes ids, by their hashes, and finds those that came twice.

    Sorted runs of hashes lie in a temporary file, which the block ends; range by range of their
    values they are read again and compared.
    """

    def __init__(self) -> None:
        self._recent = array("Q")
        self._starts: list[list[int]] = []  # of each run, where each range of values begins
        self._open = ExitStack()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> DuplicateFinder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()

    def add(self, custom_id: str) -> None:
        """Take an id; ConfigError where the disk is full."""
        self._recent.append(id_hash(custom_id))
        if len(self._recent) == RUN:
            self._put_by()

    def found(self) -> set[int]:
        """The hashes that came twice."""
        if not self._starts:
            return _repeated(np.sort(np.frombuffer(self._recent, np.uint64)))
        self._put_by()
        duplicates: set[int] = set()
        for merged in self._ranges():
            duplicates |= _repeated(merged)
        return duplicates

    def _put_by(self) -> None:
        run = np.sort(np.frombuffer(self._recent, np.uint64))
        with writing(Path(tempfile.gettempdir())):
            if self._file is None:
                self._file = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
            self._file.write(run.tobytes())
        edges = np.searchsorted(run, _EDGES[1:-1].astype(np.uint64))
        self._starts.append([0, *edges.tolist(), len(run)])
        self._recent = array("Q")

    def _ranges(self) -> Iterator[Hashes]:
        """All hashes, sorted, about a run of them at a time."""
        assert self._file is not None
        step = max(1, RANGES // len(self._starts))
        for low in range(0, RANGES, step):
            high, pieces = min(low + step, RANGES), []
            for index, starts in enumerate(self._starts):
                self._file.seek(8 * (index * RUN + starts[low]))
                size = 8 * (starts[high] - starts[low])
                pieces.append(np.frombuffer(self._file.read(size), np.uint64))
            yield np.sort(np.concatenate(pieces))


def _repeated(ordered: Hashes) -> set[int]:
    return set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
