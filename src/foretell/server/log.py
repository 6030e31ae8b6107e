"""What a server logs: a line a request, and the traceback of whatever it failed by.

The lines go to Python's logger "foretell.server". Whatever a client has a say in is quoted: no
client can begin a line of its own, nor steer the terminal that shows it.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from time import monotonic, perf_counter
from typing import Any

from foretell.server.log_lines import LineWriter
from foretell.server.options import ServerOptions
from foretell.server.record import RequestRecord
from foretell.utils.quoting import escape, quote_json

LOGGER = logging.getLogger("foretell.server")

ASYNCIO = logging.getLogger("asyncio")
QUIET_SECONDS = 60.0
"""After which a complaint of asyncio is told again."""
MAX_KINDS = 100

MAX_CHARACTERS = 300
"""Of a value that is no prompt."""

_PLAIN = re.compile(r"[\w.,/:+-]+", re.ASCII)


def log_request(record: RequestRecord, options: ServerOptions) -> None:
    """Log a request that has ended; a probe that went well only if asked for, no part of a page."""
    is_dull = record.is_probe and 200 <= record.status < 400 and not options.log_probes
    is_dull = is_dull or record.is_part_of_page
    if LOGGER.isEnabledFor(logging.INFO) and not is_dull:
        fields = _fields_of(record, with_prompt=options.log_prompts)
        LOGGER.info("%s", _line(fields, options.log_format))


def log_failure(record: RequestRecord, error: BaseException, options: ServerOptions) -> None:
    """Log what went wrong in a request, with its traceback."""
    told = "".join(traceback.format_exception(error))
    LOGGER.error("%s", _failure(record.request_id, told, options))


def log_event(message: str, options: ServerOptions, **fields: Any) -> None:
    """Log what has become of the server itself."""
    LOGGER.info("%s", _event(message, options, **fields))


@contextlib.contextmanager
def lines_on_stderr(options: ServerOptions | None = None) -> Iterator[None]:
    """Show the log on stderr, and nowhere else, while the block runs; asyncio's complaints, too."""
    handler = _StderrHandler(options or ServerOptions())
    before = [(logger, logger.level, logger.propagate) for logger in (LOGGER, ASYNCIO)]
    LOGGER.setLevel(logging.INFO)
    for logger, _, _ in before:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, level, propagates in before:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagates
        handler.close()


class _StderrHandler(logging.Handler):
    def __init__(self, options: ServerOptions) -> None:
        super().__init__()
        self._options = options
        self._complaints = _Complaints()
        self._writer: LineWriter | None = None
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._writer = LineWriter(sys.stderr.fileno(), self._dropped)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, if there is anybody to read it."""
        line = record.getMessage()
        if record.name == ASYNCIO.name:
            if not self._complaints.may_tell(record):
                return
            line = _complaint(record, self._options)
        if self._writer is not None:
            self._writer.put(line)
            return
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    def close(self) -> None:
        """Write what is left."""
        super().close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _dropped(self, number: int) -> str:
        message = f"{number} lines of the log were dropped: nobody took them"
        return _event(message, self._options)


class _Complaints:
    """Lets each of asyncio's complaints be told now and then, since some come by the thousand."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def may_tell(self, record: logging.LogRecord) -> bool:
        """Whether the last one like this is long past."""
        kind, now = str(record.msg).partition("\n")[0], monotonic()
        if now - self._told.get(kind, -QUIET_SECONDS) < QUIET_SECONDS:
            return False
        if len(self._told) >= MAX_KINDS:
            self._told.clear()
        self._told[kind] = now
        return True


def _complaint(record: logging.LogRecord, options: ServerOptions) -> str:
    """What asyncio complains of, with a traceback unless the system is at fault."""
    message = record.getMessage().partition("\n")[0]
    error = record.exc_info[1] if record.exc_info else None
    if error is None or isinstance(error, OSError):
        return _event(message if error is None else f"{message}: {error}", options)
    return _failure("asyncio", f"{message}\n{''.join(traceback.format_exception(error))}", options)


def _failure(name: str, told: str, options: ServerOptions) -> str:
    """A traceback, which is shown in lines of its own."""
    if options.log_format == "json":
        return _line({"time": _now(), "id": name, "traceback": told})
    indented = "\n".join(f"    {escape(line)}" for line in told.splitlines())
    return f"{_now()} {name} failed:\n{indented}"


def _event(message: str, options: ServerOptions, **fields: Any) -> str:
    if options.log_format == "json":
        return _line({"time": _now(), "event": message, **fields})
    return f"foretell: {escape(message)}"


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
    if record.queued is not None or record.prompt_tokens:
        fields |= {
            "first_ms": _milliseconds(record.arrived, record.first),
            "prompt_tokens": record.prompt_tokens,
            "cached_tokens": record.cached_tokens,
            "completion_tokens": record.completion_tokens,
            "finish": ",".join(record.finish_reasons) or None,
            "seed": record.seed,
        }
    fields |= {"left": record.has_left or None, **_error_of(record, in_full=with_prompt)}
    cut = {name: _cut(value) for name, value in fields.items() if value is not None}
    return {**cut, "prompt": record.prompt} if with_prompt and record.prompt is not None else cut


def _error_of(record: RequestRecord, *, in_full: bool) -> dict[str, Any]:
    """What is told of an error: the message only where there is nothing of the client's in it."""
    if in_full or record.error_kind is None:
        return {"error": record.error}
    return {"error": record.error_kind, "param": record.error_param, "code": record.error_code}


def _milliseconds(start: float, end: float | None) -> float | None:
    return None if end is None else round(1e3 * (end - start), 1)


def _cut(value: Any) -> Any:
    is_long = isinstance(value, str) and len(value) > MAX_CHARACTERS
    return f"{value[:MAX_CHARACTERS]}…" if is_long else value


def _line(fields: Mapping[str, Any], form: str = "json") -> str:
    if form == "json":
        return quote_json(fields)
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
    return text if _PLAIN.fullmatch(text) else quote_json(text)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
