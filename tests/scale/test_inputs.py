"""What a job's rows may be given as."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foretell.errors import ConfigError
from foretell.scale import inputs
from foretell.scale.inputs import LINES, as_lines, settled


def lines_of(source: Any, folder: Path, column: str | None = None) -> list[Any]:
    with as_lines(source, folder, column) as lines:
        return [json.loads(line) for line in lines.read_text().splitlines()]


def test_a_file_of_lines_is_taken_where_it_lies(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"prompt": "a"}\n')
    with as_lines(source, tmp_path, None) as lines:
        assert settled(lines, source, tmp_path) == lines == source


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_tables_become_lines(suffix: str, tmp_path: Path) -> None:
    between = "," if suffix == ".csv" else "\t"
    table = tmp_path / f"in{suffix}"
    rows = [
        ["custom_id", "text", "more"],
        ["a", '"two\nlines, ""said"""', "1"],
        ["b", "한국어", "2"],
    ]
    table.write_text("\n".join(between.join(row) for row in rows), encoding="utf-8")
    assert lines_of(table, tmp_path, "text") == [
        {"custom_id": "a", "prompt": 'two\nlines, "said"'},
        {"custom_id": "b", "prompt": "한국어"},
    ]
    with pytest.raises(ConfigError, match="no column 'prompt': set column to one of 'custom_id'"):
        lines_of(table, tmp_path)


def test_parquet_becomes_lines(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = tmp_path / "in.parquet"
    parquet.write_table(pyarrow.table({"prompt": ["a", "b"], "custom_id": [1, 2]}), table)
    assert lines_of(table, tmp_path) == [
        {"custom_id": "1", "prompt": "a"},
        {"custom_id": "2", "prompt": "b"},
    ]
    table.write_bytes(b"PAR1 not")
    with pytest.raises(ConfigError, match="cannot be read"):
        lines_of(table, tmp_path)


def test_rows_of_a_program_become_lines(tmp_path: Path) -> None:
    rows = ["the cat", {"custom_id": "a", "messages": [{"role": "user", "content": "\ud800"}]}]
    source = (row for row in rows)
    with as_lines(source, tmp_path, None) as lines:
        there = settled(lines, source, tmp_path)
    assert there == tmp_path / LINES
    assert [json.loads(line) for line in there.read_text().splitlines()] == [
        {"prompt": "the cat"},
        rows[1],
    ]
    assert list(tmp_path.iterdir()) == [there]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (7, r"rows\[1\]=7 must be a prompt, or the body of a request"),
        (["a"], r"rows\[1\]=\['a'\] must be a prompt"),
        ({"prompt": b"a"}, r"rows\[1\] must be what JSON can say: .*bytes"),
    ],
)
def test_what_is_no_row_is_told_by_its_index(row: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=reason):
        lines_of(["a", row], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_long_field_of_a_table_is_a_prompt(tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_text(f"prompt\n{'x' * 200_000}\n")
    assert [len(row["prompt"]) for row in lines_of(table, tmp_path)] == [200_000]


def test_a_parquet_file_that_is_damaged_in_the_middle_is_told(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = tmp_path / "in.parquet"
    parquet.write_table(pyarrow.table({"prompt": ["a", "b"] * 99}), table, compression="zstd")
    data = bytearray(table.read_bytes())
    data[4:60] = bytes(56)  # the first page; what tells of the columns is at the end
    table.write_bytes(data)
    with pytest.raises(ConfigError, match=r"in\.parquet cannot be read"):
        lines_of(table, tmp_path)


def test_a_table_in_another_encoding_is_told(tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_bytes("prompt\nh\xe4\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"in\.csv cannot be read: must be in UTF-8 \(.*0xe4"):
        lines_of(table, tmp_path)


def test_what_reading_rows_raises_is_no_full_disk(tmp_path: Path) -> None:
    def rows() -> Iterator[str]:
        yield "a"
        raise ConnectionResetError("the program's own")

    with pytest.raises(ConnectionResetError, match="the program's own"):
        lines_of(rows(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_where_rows_become_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "partial_beside", lambda path: Path("/dev/full"))
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok: None)
    with pytest.raises(ConfigError, match="/dev/full cannot be written: No space left on device"):
        lines_of(["a"] * 5000, tmp_path)


def test_two_who_write_the_same_lines_at_once_do_not_meet(tmp_path: Path) -> None:
    with as_lines(["a", "b"], tmp_path, None) as one, as_lines(["a", "b"], tmp_path, None) as other:
        assert one != other
        assert one.read_bytes() == other.read_bytes()
        assert settled(one, ["a"], tmp_path) == settled(other, ["a"], tmp_path)


def test_a_column_is_for_tables(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="column='x' is for tables"):
        lines_of(tmp_path / "in.jsonl", tmp_path, "x")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prompt;custom_id\nhello;1\n", "first line is 'prompt;custom_id', which must be names"),
        ("prompt\tcustom_id\nhello\t1\n", "or in a .tsv with tabs"),
        ("not a header\nsecond prompt\n", "set column to one of 'not a header', which its first"),
        ("", "set column to one of none"),
    ],
)
def test_a_tables_only_column_must_have_its_name(text: str, reason: str, tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_text(text)
    with pytest.raises(ConfigError, match=f"in.csv has no column 'prompt': .*{reason}"):
        lines_of(table, tmp_path)
