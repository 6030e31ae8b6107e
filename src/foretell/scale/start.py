"""The beginning of a job, or of going on with one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from foretell import __version__
from foretell.config.defaults import PART_ROWS
from foretell.errors import ConfigError
from foretell.scale.answers import check_settings
from foretell.scale.inputs import LINES, Rows, as_lines, called, has_lines, settled
from foretell.scale.job import Job
from foretell.scale.manifest import NAME, Manifest, read_manifest
from foretell.scale.parts import Format, Parts, beginning
from foretell.scale.source import scan
from foretell.scale.tables import parquet_version
from foretell.utils.files import sweep_abandoned
from foretell.utils.quoting import escape, quote

MAX_PART_ROWS = 2**16


def open_job(  # noqa: PLR0913
    source: Path | Rows,
    folder: Path,
    model: Mapping[str, str],
    *,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    part_rows: int = PART_ROWS,
    output: Format = "jsonl",
    model_names: Sequence[str] = (),
    column: str | None = None,
    shard: tuple[int, int] = (0, 1),
    show: Callable[[int], None] = lambda num_bytes: None,
) -> Job:
    """Begin a job, or go on with the one that the folder has.

    Args:
        source: a file of lines of JSON, or a table: CSV, TSV, Parquet; or rows.
        folder: for the answers; it is made.
        model: the model's name, and what tells it from others.
        settings: of rows that state none of their own.
        seed: from which the seeds of rows follow.
        part_rows: rows of a part; where a job is gone on with, they stay as many as they were.
        output: the format of the parts.
        model_names: names that rows may call the model by beside its own; answers bear the first.
        column: a table's column of prompts.
        shard: which share of the parts is to be made: `(index, count)`.
        show: called with the bytes of the input that were read.

    Raises:
        ConfigError: the folder has another job's answers, or a part that was changed, or the input
            or a setting is none.
    """
    stated = _plain(settings or {})
    check_settings(stated)
    _check_numbers(part_rows, shard)
    with _made(folder), as_lines(source, folder, column) as lines:
        before = read_manifest(folder)
        if before is not None:
            part_rows = before.part_rows
        found = scan(lines, part_rows, show, called(source))
        wanted = Manifest(
            foretell=__version__,
            model=dict(model),
            input_sha256=found.sha256,
            num_rows=found.num_rows,
            part_rows=part_rows,
            offsets=found.offsets,
            hashes=found.hashes,
            settings=stated,
            seed=seed,
            output=_written_by(output),
            model_names=[*model_names],
        )
        _agree(wanted, folder)
        job = Job(wanted, settled(lines, source, folder), folder, shard)
    _refuse_strangers(job.parts, wanted.num_parts)
    _sweep(job)
    job.parts.check_sizes()
    return job


def join_job(
    source: Path, folder: Path, model: Mapping[str, str], shard: tuple[int, int] = (0, 1)
) -> Job:
    """Go on with a job that another process has begun just now, without reading its whole input.

    Each part's rows are checked as they are read.

    Raises:
        ConfigError: the folder has no job, or not one of this model and version.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise ConfigError(f"{escape(folder)} has no job")
    same = replace(manifest, foretell=__version__, model=dict(model))
    same.check_same(manifest, folder)
    return Job(manifest, source if has_lines(source) else folder / LINES, folder, shard)


def _agree(wanted: Manifest, folder: Path) -> None:
    """Begin the job, unless that was done; ConfigError if the folder is another one's."""
    with beginning(folder):
        there = read_manifest(folder)
        if there is None:
            _refuse_strangers(Parts(folder), 0)
            wanted.write(folder)
            return
    wanted.check_same(there, folder)


def _refuse_strangers(parts: Parts, num_parts: int) -> None:
    """ConfigError if the folder has parts, of whatever format, that are none of the job's."""
    strangers = parts.strangers(num_parts)
    if strangers:
        raise ConfigError(
            f"{escape(strangers[0])} is no part of this job: give another folder, or take it away"
        )


def _sweep(job: Job) -> None:
    """Take away what processes that were killed have left of all files of the job."""
    for name in (LINES, NAME):
        sweep_abandoned(job.folder / name)
    job.parts.sweep()


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the manifest will have them; ConfigError for what it cannot."""
    for name, value in settings.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            raise ConfigError(
                f"{name}={quote(value)} must be plain data: a job is gone on with by others"
            ) from None
    found: dict[str, Any] = json.loads(json.dumps(dict(settings)))
    return found


def _written_by(output: Format) -> str:
    return f"parquet, by {parquet_version()}" if output == "parquet" else output


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder, which is there from now on; where the block fails at once, as it was before."""
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{escape(folder)} cannot be made: {error.strerror or error}") from None
    try:
        yield
    except BaseException:
        if not was_there:
            with suppress(OSError):  # somebody else's work is in it by now
                folder.rmdir()
        raise


def _check_numbers(part_rows: int, shard: tuple[int, int]) -> None:
    if not 0 < part_rows <= MAX_PART_ROWS:
        raise ConfigError(f"part_rows={part_rows} must be 1 to {MAX_PART_ROWS}")
    index, count = shard
    if not 0 <= index < count:
        raise ConfigError(f"shard={index}/{count} must be 0/{count} to {max(count - 1, 0)}/{count}")
