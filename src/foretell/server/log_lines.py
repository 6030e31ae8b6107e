"""Where the lines of a server's log go: to stderr, which nobody may be reading.

A thread writes them, so that a full pipe holds up nothing but the log. Lines that find no place in
its queue are dropped, and counted.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

MAX_LINES = 1000
LAST_SECONDS = 1.0
"""How long the end waits for the lines that are left."""


class LineWriter:
    """Writes lines to a file, in the order in which they came.

    Args:
        file: its number.
        tell_dropped: the line that says how many were dropped.
    """

    def __init__(self, file: int, tell_dropped: Callable[[int], str]) -> None:
        self._file = file
        self._tell_dropped = tell_dropped
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._num_dropped = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="foretell-log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Have a line written, if there is a place in the queue."""
        with self._lock:
            if self._queue.qsize() >= MAX_LINES:
                self._num_dropped += 1
                return
            self._put_dropped()
            self._queue.put(line)

    def close(self) -> None:
        """Wait until all is written, but not for ever."""
        with self._lock:
            self._put_dropped()
            self._queue.put(None)
        self._thread.join(LAST_SECONDS)

    def _put_dropped(self) -> None:
        if self._num_dropped:
            self._queue.put(self._tell_dropped(self._num_dropped))
            self._num_dropped = 0

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            data = f"{line}\n".encode(errors="backslashreplace")
            try:
                while data:
                    data = data[os.write(self._file, data) :]
            except OSError:  # nobody will ever read it
                continue
