"""What became of a job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from foretell.errors import ConfigError
from foretell.outputs import BatchSummary
from foretell.scale.job import Job
from foretell.scale.parts import REMEDY
from foretell.scale.records import NO_ERROR
from foretell.scale.tables import answers_of
from foretell.utils.quoting import escape

CHUNK = 2**20


@dataclass
class _Counts:
    """What was counted so far."""

    answered: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


def summarize(job: Job) -> BatchSummary:
    """Read the parts that are there, see whether they are what was written, and count.

    ConfigError if one was changed.
    """
    whole, counts, done = hashlib.sha256(), _Counts(), sorted(job.parts.done())
    for part in done:
        _add(job, part, whole, counts)
    is_complete = len(done) == job.manifest.num_parts
    return BatchSummary(
        rows=job.manifest.num_rows,
        answered=counts.answered,
        refused=counts.refused,
        prompt_tokens=counts.prompt_tokens,
        completion_tokens=counts.completion_tokens,
        parts=job.manifest.num_parts,
        parts_done=len(done),
        sha256=whole.hexdigest() if is_complete else None,
    )


class Refusal(NamedTuple):
    """A row that was refused, and why."""

    custom_id: str
    message: str


def first_refusal(job: Job) -> Refusal | None:
    """The first of the rows that were refused, in the order of the input; None if none was."""
    for part in sorted(job.parts.done()):
        if job.parts.require_record(part).refused:
            path = job.parts.path(part)
            rows = answers_of(path) if path.suffix == ".parquet" else _lines_of(path)
            return next(Refusal(name, error["message"]) for name, error in rows if error)
    return None


def _lines_of(path: Path) -> Iterator[tuple[str, dict[str, str] | None]]:
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(NO_ERROR):
                answer = json.loads(line)
                yield answer["custom_id"], answer["error"]


def _add(job: Job, part: int, whole: hashlib._Hash, counts: _Counts) -> None:
    """Count a part; what was noted of it counts, once its bytes are seen to be those."""
    path, record, own = job.parts.path(part), job.parts.require_record(part), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            whole.update(chunk)
            own.update(chunk)
    if own.hexdigest() != record.sha256 or record.rows != job.manifest.rows_of(part):
        raise ConfigError(f"{escape(path)} has been changed since it was written: {REMEDY}")
    counts.answered += record.rows
    counts.refused += record.refused
    counts.prompt_tokens += record.prompt_tokens
    counts.completion_tokens += record.completion_tokens
