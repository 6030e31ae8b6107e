"""A job's parts: files that are whole or not there, each made by whoever claims it first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from foretell.errors import ConfigError
from foretell.scale import records
from foretell.scale.records import Record, read_record, record_of
from foretell.scale.writing import put, writing
from foretell.utils.files import sync_folder
from foretell.utils.quoting import escape

Format = Literal["jsonl", "parquet"]

CLAIMS = ".claims"
_NAME = re.compile(r"part-(\d{6,})\.(jsonl|parquet)")
_PARTIAL = re.compile(r"\.part-(\d{6,})\..+\.partial")
_PARTIAL_RECORD = re.compile(r"\.(\d{6,})\.json\..+\.partial")
REMEDY = "delete it, and the same command makes it again"


@dataclass(frozen=True)
class Parts:
    """The files of a job's parts.

    Attributes:
        folder: the job's.
        format: of the files.
    """

    folder: Path
    format: Format = "jsonl"

    def path(self, part: int) -> Path:
        """The file of a part's answers."""
        return self.folder / f"part-{part:06}.{self.format}"

    def record_path(self, part: int) -> Path:
        """The file of what is noted of it."""
        return self._records / f"{part:06}.json"

    @property
    def _records(self) -> Path:
        return self.folder / records.FOLDER

    def is_done(self, part: int) -> bool:
        """Whether a part has its file."""
        return self.path(part).exists()

    def done(self) -> set[int]:
        """The parts that have their files."""
        return {int(found[1]) for found in _named(self.folder, _NAME) if found[2] == self.format}

    def require_record(self, part: int) -> Record:
        """What was noted of a part that is there; ConfigError if it is lost."""
        found = read_record(self.record_path(part))
        if found is None:
            raise ConfigError(f"{escape(self.path(part))} has lost its record: {REMEDY}")
        return found

    @contextmanager
    def claim(self, part: int) -> Iterator[bool]:
        """Whether the part is ours to make; it is, until the block is left, if nobody is at it.

        The system frees what a process that was killed had claimed.
        """
        with _lock(self.folder, f"{part:06}") as is_ours:
            yield is_ours and not self.is_done(part)

    def write(self, part: int, lines: Sequence[bytes], seconds: float | None = None) -> None:
        """Write a part: first what is noted of it, then its file.

        ConfigError if the disk does not take it: no part of it is left.

        Args:
            part: its number.
            lines: its answers.
            seconds: that it took.
        """
        data = self._encode(lines)
        record = record_of(part, lines, data, seconds)
        with writing(self.record_path(part)):
            self._records.mkdir(exist_ok=True)
        put(self.record_path(part), record.to_line())
        put(self.path(part), data)

    def sync(self) -> None:
        """Let the names of all files last through a power cut, as what is in them does."""
        sync_folder(self.folder)
        sync_folder(self._records)

    def check_sizes(self) -> None:
        """ConfigError if a file is not as long as it was written."""
        for part in sorted(self.done()):
            path, record = self.path(part), self.require_record(part)
            size = path.stat().st_size
            if size != record.num_bytes:
                raise ConfigError(
                    f"{escape(path)} has {size} bytes, of {record.num_bytes} written: {REMEDY}"
                )

    def strangers(self, num_parts: int) -> list[Path]:
        """Files that are called as parts are, and are none of a job's with so many parts."""
        names = (
            found[0] for found in _named(self.folder, _NAME) if not self._has(found, num_parts)
        )
        return sorted(self.folder / name for name in names)

    def _has(self, found: re.Match[str], num_parts: int) -> bool:
        return int(found[1]) < num_parts and found[2] == self.format

    def sweep(self) -> None:
        """Take away what processes that were killed have left of parts that nobody is at."""
        left: dict[int, list[Path]] = {}
        for folder, name in ((self.folder, _PARTIAL), (self._records, _PARTIAL_RECORD)):
            for found in _named(folder, name) if folder.exists() else ():
                left.setdefault(int(found[1]), []).append(folder / found[0])
        for part, paths in left.items():
            with _lock(self.folder, f"{part:06}") as is_ours:
                for path in paths if is_ours else ():
                    path.unlink(missing_ok=True)

    def _encode(self, lines: Sequence[bytes]) -> bytes:
        if self.format == "jsonl":
            return b"".join(lines)
        from foretell.scale.tables import encode_answers

        return encode_answers(lines)


@contextmanager
def beginning(folder: Path) -> Iterator[None]:
    """A block that one process at a time is in: the folder's job is begun, or looked at, there."""
    with _lock(folder, "job", waits=True):
        yield


@contextmanager
def _lock(folder: Path, name: str, *, waits: bool = False) -> Iterator[bool]:
    """Whether a lock is ours; it is, if nobody has it, until the block is left."""
    path = folder / CLAIMS / f"{name}.lock"
    lock = FileLock(path, blocking=waits)
    with writing(path):
        path.parent.mkdir(exist_ok=True)
        is_ours = _acquired(lock, folder)
    try:
        yield is_ours
    finally:
        lock.release()


def _acquired(lock: FileLock, folder: Path) -> bool:
    try:
        lock.acquire()
    except Timeout:
        return False
    except NotImplementedError:
        raise ConfigError(
            f"{escape(folder)} is in a file system without locks: give a folder in another one, "
            "and each machine its --shard"
        ) from None
    return True


def _named(folder: Path, name: re.Pattern[str]) -> list[re.Match[str]]:
    """The files of a folder that have such names."""
    with os.scandir(folder) as entries:
        matches = [name.fullmatch(entry.name) for entry in entries]
    return [found for found in matches if found]
