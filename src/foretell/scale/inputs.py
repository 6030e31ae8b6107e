"""What a job's rows are given as: a file of lines, a table, or rows of a program's own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeGuard

from foretell.errors import ConfigError
from foretell.scale.source import InputNames
from foretell.scale.tables import TABLES, table_rows
from foretell.scale.writing import writing
from foretell.utils.files import partial_beside
from foretell.utils.quoting import escape, one_line, quote

Rows = Iterable[str | Mapping[str, Any]]
"""Bodies of requests, as lines have them, or prompts."""

LINES = "input.jsonl"
"""What rows are written to, in the job's folder, that come from elsewhere than a file of lines."""

LINES_AT_ONCE = 1024


@contextmanager
def as_lines(source: Path | Rows, folder: Path, column: str | None) -> Iterator[Path]:
    """A file of the input's lines: the input itself, or one that is there for the block.

    Args:
        source: a file of lines, a table, or rows.
        folder: the job's.
        column: a table's column of prompts.

    Raises:
        ConfigError: a row or a table is none, or the disk does not take the lines.
    """
    if has_lines(source):
        if column is not None:
            raise ConfigError(f"column={quote(column)} is for tables: {', '.join(TABLES)}")
        yield source
        return
    rows = table_rows(source, column) if isinstance(source, Path) else source
    lines = (_line(row, index) for index, row in enumerate(rows))
    partial = partial_beside(folder / LINES)
    try:
        _write(lines, partial)
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _write(lines: Iterator[str], path: Path) -> None:
    """Write lines to a file: what reading them raises is raised as it is."""
    with writing(path):
        file = path.open("w", encoding="utf-8")
    try:
        while some := [*islice(lines, LINES_AT_ONCE)]:
            with writing(path):
                file.writelines(some)
        with writing(path):
            file.flush()
    finally:
        with suppress(OSError):  # of a full disk, which was told
            file.close()


def settled(lines: Path, source: Path | Rows, folder: Path) -> Path:
    """Where the lines lie from now on, once they are known to be the job's."""
    if has_lines(source):
        return source
    with writing(folder / LINES):
        lines.replace(folder / LINES)
    return folder / LINES


def has_lines(source: Path | Rows) -> TypeGuard[Path]:
    """Whether the input is a file of lines."""
    return isinstance(source, Path) and source.suffix.lower() not in TABLES


def called(source: Path | Rows) -> InputNames | None:
    """What errors call an input that was written as lines here; None for a file of lines."""
    if has_lines(source):
        return None
    if isinstance(source, Path):
        return InputNames(escape(source), "rows {} and {}".format)
    return InputNames("rows", lambda first, second: f"rows[{first - 1}] and rows[{second - 1}]")


def _line(row: Any, index: int) -> str:
    if isinstance(row, str):
        row = {"prompt": row}
    if not isinstance(row, Mapping):
        raise ConfigError(f"rows[{index}]={quote(row)} must be a prompt, or the body of a request")
    try:
        return json.dumps(dict(row)) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"rows[{index}] must be what JSON can say: {one_line(error)}") from None
