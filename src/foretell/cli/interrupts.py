"""Ctrl-C at a time when there is nothing to clean up. Imports next to nothing itself."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # typing itself takes a while to import
if TYPE_CHECKING:
    from types import TracebackType

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


def _exit(number: int, frame: object) -> None:
    os._exit(EXIT_INTERRUPTED)
