"""Signals that end a running server: the first one ends it in order, the next one at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

NUMBERS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if os.name == "posix" else []))


class Signals:
    """Takes signals while the block runs, within an event loop.

    Args:
        may_wait: whether there is something to end in order; else the first signal, too, ends the
            process at once.
        clean: is called before that.
    """

    def __init__(self, may_wait: Callable[[], bool], clean: Callable[[], None]) -> None:
        self._may_wait = may_wait
        self._clean = clean
        self._before: dict[int, Any] = {}
        self._taken: asyncio.Queue[signal.Signals] = asyncio.Queue()
        self._has_come = False

    async def first(self) -> signal.Signals:
        """Wait for a signal."""
        return await self._taken.get()

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number in NUMBERS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # a process in the background
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._has_come or not self._may_wait():
            self._clean()
            os._exit(128 + number)
        self._has_come = True
        self._loop.call_soon_threadsafe(self._taken.put_nowait, signal.Signals(number))
