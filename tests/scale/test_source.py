"""Where the parts of an input lie, and inputs that are refused as a whole."""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import json
import lzma
import os
from pathlib import Path
from typing import IO

import pytest

from foretell.errors import ConfigError
from foretell.scale.rows import Row
from foretell.scale.source import Scan, as_row, read_lines, scan


def read(path: Path, found: Scan, part: int, count: int) -> list[Row]:
    offset, line = found.offsets[part]
    lines = read_lines(path, offset, line, count, found.hashes[part])
    return [as_row(line, number) for number, line in lines]


def write(path: Path, count: int, between: str = "\n") -> Path:
    rows = [json.dumps({"custom_id": f"é{number}", "prompt": "x"}) for number in range(count)]
    path.write_text(between.join(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("between", ["\n", "\r\n", "\n\n \n"])
def test_parts_have_all_rows_once(between: str, tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", 23, between)
    found = scan(path, 5)
    assert found.num_rows == 23
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(found.offsets) == 5
    counts = [5, 5, 5, 5, 3]
    rows = [
        [row.custom_id for row in read(path, found, n, count)] for n, count in enumerate(counts)
    ]
    assert [len(part) for part in rows] == counts
    assert [one for part in rows for one in part] == [f"é{number}" for number in range(23)]


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"prompt": "a"}\n\nbroken\n\n{"prompt": "b"}\n')
    found = scan(path, 2)
    rows = read(path, found, 0, 2) + read(path, found, 1, 1)
    assert [row.custom_id for row in rows] == ["row-1", "row-3", "row-5"]


def test_an_id_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    rows = [{"custom_id": f"{number % 90}", "prompt": "x"} for number in range(91)]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(ConfigError, match="lines 1 and 91 both have custom_id '0'"):
        scan(path, 8)


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "cannot be read"), ("\n \n", "has no rows")]
)
def test_no_rows_are_refused(content: str | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=reason):
        scan(path, 8)


def test_a_line_that_is_too_long_is_a_row_with_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foretell.scale.source.MAX_LINE_BYTES", 100)
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"prompt": "x" * 1000}) + '\n{"prompt": "y"}\n')
    found = scan(path, 8)
    assert found.num_rows == 2
    first, second = read(path, found, 0, 2)
    assert first.fault is not None
    assert "at most 100 bytes" in first.fault
    assert second.body == {"prompt": "y"}


def test_an_input_that_was_changed_behind_the_job_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", 10)
    found = scan(path, 5)
    text = path.read_bytes()
    assert len(read(path, found, 0, 5) + read(path, found, 1, 5)) == 10
    for damaged in (text.replace(b'"x"', b'"y"'), text[:-20], b" " + text):
        path.write_bytes(damaged)
        with pytest.raises(ConfigError, match="has been changed since the job began, at line"):
            read(path, found, 0, 5), read(path, found, 1, 5)


def test_a_full_disk_is_told_where_ids_are_put_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> IO[bytes]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("foretell.scale.duplicates.RUN", 4)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        scan(write(tmp_path / "in.jsonl", 10), 5)


@pytest.mark.parametrize(
    "text",
    [
        '[{"prompt": "a"}, {"prompt": "b"}]',
        '\ufeff[\n  {"prompt": "a"},\n  {"prompt": "b"}\n]\n',
        '[{"prompt": "a"},\n{"prompt": "b"}]',
    ],
)
def test_one_array_is_refused_as_a_whole(text: str, tmp_path: Path) -> None:
    source = tmp_path / "in.json"
    source.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is one JSON array: must have an object on each line"):
        scan(source, 8)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            gzip.compress(b'{"prompt": "a"}\n', mtime=0),
            "in.jsonl is packed by gzip: must be unpacked first",
        ),
        (bz2.compress(b'{"prompt": "a"}\n'), "packed by bzip2"),
        (lzma.compress(b'{"prompt": "a"}\n'), "packed by xz"),
        (b"PK\x03\x04\0\0", "a ZIP archive, as spreadsheets are: must have lines of JSON"),
        (b"PAR1\0\0", "a Parquet file: its name must end in .parquet"),
        ('{"prompt": "a"}\n'.encode("utf-16"), "in UTF-16: must be in UTF-8"),
    ],
)
def test_files_of_another_kind_are_told(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=reason):
        scan(path, 5)


def test_what_can_be_read_only_once_is_told(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="is no regular file, and cannot be read again when"):
        scan(path, 5)


def test_arrays_among_rows_are_these_rows_faults(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('[1]\n{"prompt": "a"}\n[2]\n')
    assert scan(source, 8).num_rows == 3
