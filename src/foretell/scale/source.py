"""A job's input: lines of JSON, cut into parts where they lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path

from foretell.errors import ConfigError
from foretell.scale.duplicates import DuplicateFinder, id_hash
from foretell.scale.rows import Row, read_row
from foretell.utils.quoting import escape, quote

MAX_LINE_BYTES = 2**26
HASH_BYTES = 8

_PACKED = "must be unpacked first, to lines of JSON"
OTHERS: Mapping[bytes, str] = {
    b"\x1f\x8b": f"packed by gzip: {_PACKED}",
    b"\x28\xb5\x2f\xfd": f"packed by zstd: {_PACKED}",
    b"\xfd7zXZ\0": f"packed by xz: {_PACKED}",
    b"BZh": f"packed by bzip2: {_PACKED}",
    b"PK\x03\x04": "a ZIP archive, as spreadsheets are: must have lines of JSON, or be a table in "
    "a .csv",
    b"PAR1": "a Parquet file: its name must end in .parquet",
    b"\xff\xfe": "in UTF-16: must be in UTF-8",
    b"\xfe\xff": "in UTF-16: must be in UTF-8",
}
"""How files begin that are no lines of JSON, and what is said of them."""


@dataclass(frozen=True)
class Scan:
    """What a whole input was found to be.

    Attributes:
        sha256: of its bytes.
        num_rows: lines that are not blank.
        offsets: where each part begins, in bytes, and the number of its first line.
        hashes: of each part, what tells its rows from others.
    """

    sha256: str
    num_rows: int
    offsets: list[tuple[int, int]]
    hashes: list[str]


@dataclass(frozen=True)
class InputNames:
    """What an input and its rows are called in errors.

    Attributes:
        whole: the input.
        of_two: two rows, by the numbers of their lines.
    """

    whole: str
    of_two: Callable[[int, int], str]


def scan(
    path: Path,
    part_rows: int,
    show: Callable[[int], None] = lambda num_bytes: None,
    called: InputNames | None = None,
) -> Scan:
    """Read an input once: find its parts, and refuse ids that appear twice.

    Args:
        path: of lines of JSON.
        part_rows: rows of a part.
        show: called with the bytes that were read, now and then.
        called: what it is called in errors, if it was written here from something else.

    Raises:
        ConfigError: it cannot be read, is of another kind, has no rows, is one JSON array, or two
            rows have one id.
    """
    called = called or InputNames(escape(path), "lines {} and {}".format)
    first = last = b""
    offsets, hashes, num_rows = list[tuple[int, int]](), list[str](), 0
    whole, part = hashlib.sha256(), _new_hash()
    with _opened(path) as file, DuplicateFinder() as ids:
        for number, offset, line in _lines(file, hear=whole.update):
            if not line.strip():
                continue
            if num_rows % part_rows == 0:
                offsets.append((offset, number))
                show(offset)
                part = _new_hash()
            part.update(line)
            num_rows += 1
            if not first:
                _refuse_other(called, line)
                first = line
            last = line
            if num_rows % part_rows == 0:
                hashes.append(part.hexdigest())
            ids.add(as_row(line, number).custom_id)
        if not num_rows:
            raise ConfigError(f"{called.whole} has no rows: must have at least one")
        _refuse_array(called, first, last, num_rows)
        _refuse_duplicates(path, ids.found(), called)
    if num_rows % part_rows:
        hashes.append(part.hexdigest())
    return Scan(whole.hexdigest(), num_rows, offsets, hashes)


def read_lines(
    path: Path, offset: int, number: int, count: int, part_hash: str
) -> Iterator[tuple[int, bytes]]:
    """The rows of a part as they stand there, each with the number of its line.

    Args:
        path: the input.
        offset, number: where the part begins, in bytes, and the number of its first line.
        count: how many rows it has.
        part_hash: what tells them from others.

    Raises:
        ConfigError: at the end, if these are other rows than the job was begun with.
    """
    found = _new_hash()
    with _opened(path) as file:
        file.seek(offset)
        for line_number, _, line in islice(_filled(file, number), count):
            found.update(line)
            yield line_number, line
    if found.hexdigest() != part_hash:
        raise ConfigError(
            f"{escape(path)} has been changed since the job began, at line {number} or behind: "
            "must be what it was, or give another folder"
        )


def as_row(line: bytes, number: int) -> Row:
    """The row of a line as `read_lines` gives it."""
    if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
        return Row(
            f"row-{number}",
            fault=f"line {number} is too long: must have at most {MAX_LINE_BYTES} bytes",
        )
    return read_row(line, number)


def _new_hash() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=HASH_BYTES)


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(
                f"{escape(path)} is no regular file, and cannot be read again when the job is gone "
                "on with: write it to one first"
            )
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise ConfigError(f"{escape(path)} cannot be read: {error.strerror or error}") from None


def _lines(
    file: BufferedReader, number: int = 1, hear: Callable[[bytes], object] = len
) -> Iterator[tuple[int, int, bytes]]:
    """Each line's number, where it begins, and its bytes: of one that is too long, the first.

    All bytes are given to `hear`.
    """
    offset = file.tell()
    while line := file.readline(MAX_LINE_BYTES):
        hear(line)
        size, rest = len(line), line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES)
            hear(rest)
            size += len(rest)
        yield number, offset, line
        offset, number = offset + size, number + 1


def _filled(file: BufferedReader, number: int) -> Iterator[tuple[int, int, bytes]]:
    return (found for found in _lines(file, number) if found[2].strip())


def _refuse_other(called: InputNames, first: bytes) -> None:
    """ConfigError if an input begins as files of another kind do."""
    for magic, kind in OTHERS.items():
        if first.startswith(magic):
            raise ConfigError(f"{called.whole} is {kind}")


def _refuse_array(called: InputNames, first: bytes, last: bytes, num_rows: int) -> None:
    """ConfigError if an input's first and last lines are those of one JSON array."""
    begins = first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    if begins and last.rstrip().endswith(b"]") and (num_rows == 1 or not _is_json(first)):
        raise ConfigError(
            f"{called.whole} is one JSON array: must have an object on each line, as jq -c '.[]' "
            "writes them"
        )


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line.decode().removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_duplicates(path: Path, hashes: set[int], called: InputNames) -> None:
    """ConfigError, naming the first two rows whose ids have the same hash and are the same."""
    if not hashes:
        return
    first: dict[str, int] = {}
    with _opened(path) as file:
        for number, _, line in _filled(file, 1):
            custom_id = as_row(line, number).custom_id
            if id_hash(custom_id) in hashes and first.setdefault(custom_id, number) != number:
                two = called.of_two(first[custom_id], number)
                raise ConfigError(
                    f"{called.whole}: {two} both have custom_id {quote(custom_id)}: ids must differ"
                )
