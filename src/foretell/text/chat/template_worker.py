"""Renders one chat template in a process of its own.

`template.py` runs this file as a script: one JSON object comes on stdin, one goes to stdout.
A template is a program of a stranger's. Jinja's sandbox keeps it from what it must not touch; the
limits of the process keep it from running on or filling the memory, whatever it is doing then.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment


def main() -> None:
    """Read a job, limit this process, render, and answer `{"text": ...}` or `{"error": ...}`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    job = json.loads(sys.stdin.buffer.read())
    sys.path[:] = job["path"]
    import jinja2.ext
    import jinja2.sandbox  # noqa: F401  before the clock starts

    limit(job["max_seconds"], job["max_bytes"])
    answer = attempt(job["source"], job["context"], job["max_characters"])
    sys.stdout.write(json.dumps(answer))


def limit(max_seconds: float, max_bytes: int) -> None:
    """Let the system end this process after so much processor time, and refuse it more memory.

    Where the system knows no such limits, the parent's clock is the only one.
    """
    if sys.platform == "win32":
        return
    import resource

    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, max_seconds)
    for kind, size in ((resource.RLIMIT_AS, max_bytes), (resource.RLIMIT_FSIZE, 0)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (size, size))


def attempt(source: str, context: dict[str, Any], max_characters: int) -> dict[str, str]:
    """The rendered text, or the kind of the error ("template", "refused", "size", ...) and why."""
    from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError

    try:
        return {"text": render(source, context, max_characters)}
    except TemplateSyntaxError as error:
        return {"error": "template", "reason": f"line {error.lineno}: {error.message}"}
    except SecurityError as error:
        return {"error": "template", "reason": str(error)}
    except (MemoryError, TooLongError):
        return {"error": "size", "reason": ""}
    except TemplateError as error:
        return {"error": "refused", "reason": str(error)}
    except Exception as error:  # noqa: BLE001  a template can raise whatever Python can
        return {"error": "refused", "reason": f"{type(error).__name__}: {error}"}


class TooLongError(Exception):
    """The rendered text has too many characters."""


def render(source: str, context: dict[str, Any], max_characters: int) -> str:
    """The template's text, given up when it grows too long."""
    pieces: list[str] = []
    room = max_characters
    for piece in environment().from_string(source).generate(context):
        room -= len(piece)
        if room < 0:
            raise TooLongError
        pieces.append(piece)
    return "".join(pieces)


def environment() -> ImmutableSandboxedEnvironment:
    """Jinja as the authors of chat templates expect it: what `apply_chat_template` provides."""
    import jinja2.ext
    import jinja2.sandbox
    from jinja2 import nodes, parser

    class Generation(jinja2.ext.Extension):
        """`{% generation %}` marks what the assistant wrote; here it changes nothing."""

        tags = {"generation"}  # noqa: RUF012  as in jinja2.ext

        def parse(self, parser: parser.Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    made.filters["tojson"] = to_json
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = strftime_now
    return made


def to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as it is, where Jinja's own filter escapes it for HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def raise_exception(message: object) -> NoReturn:
    """How a template refuses messages."""
    from jinja2.exceptions import TemplateError

    raise TemplateError(str(message))


def strftime_now(form: str) -> str:
    """The local time, written as `form` says."""
    return datetime.datetime.now().strftime(form)


if __name__ == "__main__":
    main()
