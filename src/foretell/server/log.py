"""What a server logs: a line a request, and the traceback of whatever it failed by.

The lines go to Python's logger "foretell.server". Whatever a client has a say in is quoted: no
client can begin a line of its own, nor steer the terminal that shows it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from foretell.server.options import ServerOptions
from foretell.server.record import RequestRecord
from foretell.utils.quoting import escape

LOGGER = logging.getLogger("foretell.server")

MAX_CHARACTERS = 300
"""Of a value that is no prompt."""

_PLAIN = re.compile(r"[\w.,/:+-]+", re.ASCII)


def log_request(record: RequestRecord, options: ServerOptions) -> None:
    """Log a request that has ended just now."""
    if LOGGER.isEnabledFor(logging.INFO):
        fields = _fields_of(record, with_prompt=options.log_prompts)
        LOGGER.info("%s", _line(fields, options.log_format))


def log_failure(record: RequestRecord, error: BaseException, options: ServerOptions) -> None:
    """Log what went wrong in a request, with its traceback."""
    told = "".join(traceback.format_exception(error))
    if options.log_format == "json":
        LOGGER.error("%s", _line({"time": _now(), "id": record.request_id, "traceback": told}))
        return
    indented = "\n".join(f"    {escape(line)}" for line in told.splitlines())
    LOGGER.error("%s", f"{_now()} {record.request_id} failed:\n{indented}")


def log_event(message: str, options: ServerOptions, **fields: Any) -> None:
    """Log what has become of the server itself."""
    if options.log_format == "json":
        LOGGER.info("%s", _line({"time": _now(), "event": message, **fields}))
    else:
        LOGGER.info("%s", f"foretell: {escape(message)}")


@contextlib.contextmanager
def lines_on_stderr() -> Iterator[None]:
    """Show the log on stderr, and nowhere else, while the block runs."""
    handler, level = _StderrHandler(), LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        LOGGER.propagate = True


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, if there is anybody to read it."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"{record.getMessage()}\n")
            sys.stderr.flush()


def _fields_of(record: RequestRecord, *, with_prompt: bool) -> dict[str, Any]:
    """What is told of a request; what there is not is left out."""
    fields = {
        "time": _now(),
        "method": record.method,
        "path": record.path,
        "status": record.status or None,
        "id": record.request_id,
        "model": record.model or None,
        "total_ms": _milliseconds(record.arrived, perf_counter()),
    }
    if record.queued is not None:
        fields |= {
            "first_ms": _milliseconds(record.arrived, record.first),
            "prompt_tokens": record.prompt_tokens,
            "cached_tokens": record.cached_tokens,
            "completion_tokens": record.completion_tokens,
            "finish": ",".join(record.finish_reasons) or None,
        }
    fields |= {"left": record.has_left or None, "error": record.error}
    cut = {name: _cut(value) for name, value in fields.items() if value is not None}
    return {**cut, "prompt": record.prompt} if with_prompt and record.prompt is not None else cut


def _milliseconds(start: float, end: float | None) -> float | None:
    return None if end is None else round(1e3 * (end - start), 1)


def _cut(value: Any) -> Any:
    is_long = isinstance(value, str) and len(value) > MAX_CHARACTERS
    return f"{value[:MAX_CHARACTERS]}…" if is_long else value


def _line(fields: Mapping[str, Any], form: str = "json") -> str:
    if form == "json":
        return _quoted(fields)
    shown = dict(fields)
    head = [
        str(shown.pop(name, "-")) if name == "time" else _word(shown.pop(name, None))
        for name in ("time", "method", "path", "status")
    ]
    return " ".join([*head, *(f"{name}={_word(value)}" for name, value in shown.items())])


def _word(value: Any) -> str:
    """A value as one word, or between quotes."""
    if value is None:
        return "-"
    if value is True:
        return "true"
    text = str(value)
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(value: Any) -> str:
    """As JSON, all in printable ASCII."""
    return json.dumps(value).replace("\x7f", "\\u007f")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
