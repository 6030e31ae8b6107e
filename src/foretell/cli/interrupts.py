"""Signals at a time when there is nothing to clean up. Imports next to nothing itself."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # typing itself takes a while to import
if TYPE_CHECKING:
    from types import TracebackType

EXIT_INTERRUPTED = 128 + signal.SIGINT


class ExitsAtOnce:
    """Within it, Ctrl-C and SIGTERM end the process at once, with the exit code of each."""

    def __enter__(self) -> None:
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.getsignal(number) for number in numbers}
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:  # a process in the background
                signal.signal(number, _exit)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _exit(number: int, frame: object) -> None:
    os._exit(128 + number)
