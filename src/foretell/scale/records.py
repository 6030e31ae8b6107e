"""What is noted of each part, as a line of JSON: what is in it, who made it, in what time."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from foretell.errors import ForetellError
from foretell.formats.json import read_object

FOLDER = "records"
NO_ERROR = b'"error":null}\n'
MAX_BYTES = 2**16
COUNTS = ("part", "rows", "refused", "prompt_tokens", "completion_tokens", "num_bytes")
_USAGE = re.compile(rb'"usage":\{"prompt_tokens":(\d+),"completion_tokens":(\d+)')


@dataclass(frozen=True)
class Record:
    """What is noted of a part.

    Attributes:
        part: its number.
        rows, refused: how many, and how many of these were answered with an error.
        prompt_tokens, completion_tokens: of all rows.
        num_bytes, sha256: of its file.
        seconds: from its first row to its last; None where nobody looked.
        machine, pid: of the process that wrote it.
        ended: when it was written, in seconds since 1970.
    """

    part: int
    rows: int
    refused: int
    prompt_tokens: int
    completion_tokens: int
    num_bytes: int
    sha256: str
    seconds: float | None
    machine: str
    pid: int
    ended: float

    def to_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"


def record_of(part: int, lines: Sequence[bytes], data: bytes, seconds: float | None) -> Record:
    """What is to be noted of a part.

    Args:
        part: its number.
        lines: its answers.
        data: its file.
        seconds: that it took.
    """
    refused = sum(not line.endswith(NO_ERROR) for line in lines)
    counts = [_tokens(line) for line in lines]
    return Record(
        part=part,
        rows=len(lines),
        refused=refused,
        prompt_tokens=sum(prompt for prompt, _ in counts),
        completion_tokens=sum(completion for _, completion in counts),
        num_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        seconds=None if seconds is None else round(seconds, 3),
        machine=socket.gethostname(),
        pid=os.getpid(),
        ended=round(time.time(), 3),
    )


def read_record(path: Path) -> Record | None:
    """A part's record; None where there is none, or a damaged one."""
    try:
        found = read_object(path, MAX_BYTES)
    except ForetellError:
        return None
    names = {field.name for field in fields(Record)}
    is_sound = found.keys() == names and all(type(found[name]) is int for name in COUNTS)
    return Record(**found) if is_sound else None


def _tokens(line: bytes) -> tuple[int, int]:
    """Tokens of a row's prompts and texts; what a text says itself has its quotes escaped."""
    start = line.rfind(b'"usage":{')
    found: Any = _USAGE.match(line, start) if start >= 0 else None
    return (0, 0) if found is None else (int(found[1]), int(found[2]))
