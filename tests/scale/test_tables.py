"""Answers as Parquet: the same bytes each time, all that lines have, and what is most wanted."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from support.batches import begin, bytes_of, make

from foretell.scale import job as jobs
from foretell.scale.summary import summarize

parquet = pytest.importorskip("pyarrow.parquet")


def rows_of(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(io.BytesIO(data)).to_pylist()
    return found


def test_a_table_has_what_the_lines_have(tmp_path: Path) -> None:
    lines, tables = begin(tmp_path, "lines"), begin(tmp_path, "tables", output="parquet")
    make(lines)
    make(tables)
    assert {path.suffix for path in tables.folder.glob("part-*")} == {".parquet"}
    told = [json.loads(line) for text in bytes_of(lines) for line in text.splitlines()]
    found = [row for data in bytes_of(tables) for row in rows_of(data)]
    assert len(found) == len(told) == 41
    for row, answer in zip(found, told, strict=True):
        response = answer["response"]
        assert {name: row[name] for name in ("id", "custom_id")} == {
            name: answer[name] for name in ("id", "custom_id")
        }
        assert row["status_code"] == response["status_code"]
        assert json.loads(row["body"]) == response["body"]
        assert json.loads(row["error"] or "null") == answer["error"]
        if answer["error"] is None:
            first = response["body"]["choices"][0]
            message = first.get("message", {})
            assert row["text"] == first.get("text", message.get("content"))
            assert row["completion_tokens"] == response["body"]["usage"]["completion_tokens"]
        else:
            assert row["text"] is None
    counts = [summarize(job).to_dict() for job in (lines, tables)]
    for one in counts:
        del one["sha256"]
    assert counts[0] == counts[1]


def test_its_bytes_are_the_same_in_any_order_and_company(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begin(tmp_path, "one", output="parquet")
    make(first)
    second = begin(tmp_path, "two", output="parquet")
    monkeypatch.setattr(jobs, "ROWS_AHEAD", 3)
    for part in (5, 0, 3):
        make(second, [part])
    make(second)
    assert bytes_of(first) == bytes_of(second)


def test_another_writer_of_tables_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path, output="parquet")
    monkeypatch.setattr("pyarrow.__version__", "1.0")
    with pytest.raises(Exception, match=r"there output is 'parquet, by pyarrow .*', here .* 1\.0"):
        begin(tmp_path, output="parquet")
