"""Renders chat templates in a process of its own.

`renderer.py` runs this file as a script: messages of JSON come on stdin, a length of 8 bytes before
each, and go to stdout likewise. The first is about the process (`start`), each further one a job.
A template is a program of a stranger's. Jinja's sandbox keeps it from what it must not touch, and
from leaving anything to the next; the limits of the process keep it from running on or filling the
memory, whatever it is doing then.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import gc
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import Namespace


MAX_KEPT_BYTES = 2**27  # of memory after a job; a process that has more ends
MAX_TEMPLATES = 8  # that are kept compiled
NO_MEMORY = 12  # exit code, as the system's number for it


def main() -> None:
    """Answer jobs until there is nobody left who has any."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # they are the parent's to answer
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    with contextlib.suppress(OSError):  # the parent is gone
        try:
            serve()
        except MemoryError:  # by a job too large to be read
            sys.exit(NO_MEMORY)


def serve() -> None:
    """Start, and answer a job at a time: `{"text": ...}` or `{"error": ..., "reason": ...}`."""
    setup = receive()
    if setup is None:
        return
    failure = start(**setup)
    while (job := receive()) is not None:
        send(failure or reply(**job))
        gc.collect()
        if resident_bytes() > MAX_KEPT_BYTES:
            return


def receive() -> dict[str, Any] | None:
    """The next message; None if there is no more."""
    size = sys.stdin.buffer.read(8)
    if len(size) < 8:
        return None
    message: dict[str, Any] = json.loads(sys.stdin.buffer.read(int.from_bytes(size, "big")))
    return message


def send(answer: bytes) -> None:
    """Write an answer, its length first."""
    sys.stdout.buffer.write(len(answer).to_bytes(8, "big") + answer)
    sys.stdout.buffer.flush()


def start(path: list[str], max_bytes: int) -> bytes | None:
    """Import what is needed from the path, and limit this process; an answer if that fails."""
    sys.path[:] = path
    try:
        import jinja2.ext
        import jinja2.sandbox  # noqa: F401  before any clock starts
    except Exception as error:  # noqa: BLE001  whatever is in the path
        return error_answer("worker", f"{type(error).__name__}: {error}")
    limit_memory(max_bytes)
    with contextlib.suppress(OSError):  # nobody reads stderr from now on
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    gc.collect()
    gc.freeze()
    return None


def limit_memory(max_bytes: int) -> None:
    """Let the system refuse this process more address space, and any file."""
    if sys.platform == "win32":
        return
    import resource

    for kind, size in ((resource.RLIMIT_AS, max_bytes), (resource.RLIMIT_FSIZE, 0)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (size, size))


def limit_time(seconds: float) -> None:
    """Let the system end this process after so much processor time; 0 for no limit any more.

    Where the system knows no such limit, the parent's clock is the only one.
    """
    if sys.platform != "win32":
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)


def resident_bytes() -> int:
    """Memory that this process has, where the system tells."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def reply(source: str, context: dict[str, Any], max_seconds: float, max_characters: int) -> bytes:
    """The answer to a job, within so much time."""
    limit_time(max_seconds)
    try:
        return json.dumps(attempt(source, context, max_characters)).encode()
    except MemoryError:
        return error_answer("size", "")
    finally:
        limit_time(0)


def error_answer(kind: str, reason: str) -> bytes:
    """An answer that tells of an error."""
    return json.dumps({"error": kind, "reason": reason}).encode()


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
    for piece in compiled(source).generate(context):
        room -= len(piece)
        if room < 0:
            raise TooLongError
        pieces.append(piece)
    return "".join(pieces)


@functools.lru_cache(MAX_TEMPLATES)
def compiled(source: str) -> Template:
    """The template, in an environment of its own."""
    return environment().from_string(source)


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
    made.globals.update(makers())
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = strftime_now
    return made


def makers() -> dict[str, Callable[..., Any]]:
    """Functions that make what Jinja's classes make, in place of the classes.

    A class's methods change whatever they are given, even what outlives the template.
    """
    from jinja2.utils import Cycler, Joiner

    def make_dict(*args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def cycler(*items: Any) -> Cycler:
        return Cycler(*items)

    def joiner(sep: str = ", ") -> Joiner:
        return Joiner(sep)

    return {"dict": make_dict, "cycler": cycler, "joiner": joiner, "namespace": namespace_maker()}


def namespace_maker() -> Callable[..., Namespace]:
    """A function that makes Jinja's namespaces, but none that poses as another kind of object."""
    from jinja2.exceptions import SecurityError
    from jinja2.utils import Namespace

    class PlainNamespace(Namespace):
        def __setitem__(self, name: str, value: Any) -> None:
            if name.startswith("_"):
                raise SecurityError(f"a namespace cannot have {name!r}")
            super().__setitem__(name, value)

    def namespace(*args: Any, **kwargs: Any) -> Namespace:
        made = PlainNamespace()
        for name, value in dict(*args, **kwargs).items():
            made[name] = value
        return made

    return namespace


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
