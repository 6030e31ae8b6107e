"""Tables of prompts, and of answers: CSV, TSV, and Parquet by pyarrow, which is an extra."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foretell.errors import ConfigError, ForetellError
from foretell.scale.source import MAX_LINE_BYTES
from foretell.utils.extras import how_to_install
from foretell.utils.quoting import escape, one_line, quote

TABLES = (".csv", ".tsv", ".parquet")
_ROWS_AT_ONCE = 4096
_SEPARATORS = ";,\t|"


def table_rows(table: Path, column: str | None) -> Iterator[dict[str, Any]]:
    """A table's rows: of each the prompt, and `custom_id` where it has one.

    Args:
        table: a file of comma- or tab-separated values with a head, or of Parquet.
        column: the column of the prompts; not given: "prompt".

    Raises:
        ConfigError: it cannot be read, or has no such column.
    """
    is_parquet = table.suffix.lower() == ".parquet"
    return _parquet_rows(table, column) if is_parquet else _csv_rows(table, column)


def parquet_version() -> str:
    """What writes Parquet files: others may write other bytes. ConfigError if it is missing."""
    found: str = _pyarrow("a file of answers as Parquet").__version__
    return f"pyarrow {found}"


def encode_answers(lines: Sequence[bytes]) -> bytes:
    """A Parquet file of answers: the fields of their lines, and beside them what is most wanted."""
    arrow = _pyarrow("a file of answers as Parquet")
    text, number = arrow.string(), arrow.int64()
    schema = arrow.schema(
        [
            ("id", text),
            ("custom_id", text),
            ("status_code", number),
            ("request_id", text),
            ("body", text),
            ("error", text),
            ("text", text),
            ("finish_reason", text),
            ("prompt_tokens", number),
            ("completion_tokens", number),
        ]
    )
    table = arrow.Table.from_pylist([_columns(json.loads(line)) for line in lines], schema)
    file = io.BytesIO()
    arrow.parquet.write_table(table, file, compression="zstd", write_statistics=False)
    return file.getvalue()


def answers_of(path: Path) -> Iterator[tuple[str, dict[str, str] | None]]:
    """The ids and errors of a Parquet file of answers."""
    table = _open_parquet(path).read(columns=["custom_id", "error"])
    for row in table.to_pylist():
        yield row["custom_id"], None if row["error"] is None else json.loads(row["error"])


def _columns(answer: dict[str, Any]) -> dict[str, Any]:
    """A row of the table; `text` and `finish_reason` are the first choice's."""
    response, error = answer["response"], answer["error"]
    body = response["body"]
    choice, usage = (body.get("choices") or [{}])[0], body.get("usage", {})
    return {
        "id": answer["id"],
        "custom_id": answer["custom_id"],
        "status_code": response["status_code"],
        "request_id": response["request_id"],
        "body": _json(body),
        "error": None if error is None else _json(error),
        "text": choice.get("text", choice.get("message", {}).get("content")),
        "finish_reason": choice.get("finish_reason"),
        "prompt_tokens": usage.get("prompt_tokens"),
        "completion_tokens": usage.get("completion_tokens"),
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _csv_rows(table: Path, column: str | None) -> Iterator[dict[str, Any]]:
    delimiter = "\t" if table.suffix.lower() == ".tsv" else ","
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))  # usually 2**17
    with _reading(table), table.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter)
        name = _column(table, list(reader.fieldnames or ()), column)
        for row in reader:
            yield _row(row, name)


def _parquet_rows(table: Path, column: str | None) -> Iterator[dict[str, Any]]:
    file = _open_parquet(table)
    name = _column(table, file.schema_arrow.names, column)
    wanted = [one for one in ("custom_id", name) if one in file.schema_arrow.names]
    batches = file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted)
    with _reading(table):
        for batch in batches:
            for row in batch.to_pylist():
                yield _row(row, name)


def _row(row: dict[str, Any], column: str) -> dict[str, Any]:
    named = {} if row.get("custom_id") is None else {"custom_id": str(row["custom_id"])}
    return {**named, "prompt": row[column]}


def _column(table: Path, names: list[str], wanted: str | None) -> str:
    wanted = "prompt" if wanted is None else wanted
    if wanted in names:
        return wanted
    told = f"{escape(table)} has no column {quote(wanted)}"
    if len(names) == 1 and any(one in names[0] for one in _SEPARATORS):
        raise ConfigError(
            f"{told}: its first line is {quote(names[0])}, which must be names of columns with "
            "commas between them, or in a .tsv with tabs"
        )
    listed = ", ".join(map(quote, names)) or "none"
    raise ConfigError(f"{told}: set column to one of {listed}, which its first line names")


def _open_parquet(path: Path) -> Any:
    """A `pyarrow.parquet.ParquetFile`; ConfigError if it is none, or pyarrow is not installed."""
    parquet = _pyarrow(escape(path)).parquet
    with _reading(path):
        return parquet.ParquetFile(path)


@contextmanager
def _reading(table: Path) -> Iterator[None]:
    """ConfigError for what the system, csv or pyarrow says of a table in the block."""
    try:
        yield
    except ForetellError:
        raise
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{escape(table)} cannot be read: must be in UTF-8 ({one_line(error)})"
        ) from None
    except (OSError, ValueError, NotImplementedError, csv.Error) as error:
        raise ConfigError(f"{escape(table)} cannot be read: {one_line(error)}") from None


def _pyarrow(what: str) -> Any:
    """pyarrow, its `parquet` among it; ConfigError, naming what needs it, if it is missing."""
    try:
        import pyarrow  # type: ignore[import-untyped,import-not-found,unused-ignore]
        import pyarrow.parquet  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        raise ConfigError(f"{what} needs pyarrow: run {how_to_install('tables')}") from None
    return pyarrow
