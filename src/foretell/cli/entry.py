"""Where the program begins: until everything is imported, Ctrl-C ends it quietly.

An interrupt in the middle of an import is a traceback, or worse, an error that some library makes
of it. Nothing has to be cleaned up at that time, so the process may end at once.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # typing itself takes a while to import
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import NoReturn

EXIT_INTERRUPTED = 128 + signal.SIGINT


class ExitsAtOnce:
    """Within it, Ctrl-C ends the process at once, with the exit code of an interrupt."""

    def __enter__(self) -> None:
        self._before = signal.getsignal(signal.SIGINT)
        if self._before is not signal.SIG_IGN:  # a process in the background
            signal.signal(signal.SIGINT, _exit)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line with `arguments` (those of the process if None), and exit."""
    with ExitsAtOnce():
        from foretell.cli import main
    main.run(arguments)


def _exit(number: int, frame: object) -> None:
    os._exit(EXIT_INTERRUPTED)
