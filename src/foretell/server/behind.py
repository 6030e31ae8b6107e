"""What comes behind a request on its connection, before that is answered (pipelining).

uvicorn reads no further then, and so never sees that the client has left. Here it reads on: a
little is kept for later; with more, the rest is passed over, and the connection ends with the
answer that is under way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from foretell.server.heads import Header, with_own_host

MAX_BYTES_BEHIND = 2**16


class ReadsOn(asyncio.Protocol):
    """To be mixed into one of uvicorn's protocols, whose attributes it uses.

    Attributes:
        is_deaf: whether all that still comes is passed over.
    """

    flow: Any
    cycle: Any
    is_deaf = False

    @property
    def current(self) -> Any:
        """The request that is being answered, or was last."""
        return self.cycle

    def pass_over(self) -> None:
        """Heed nothing behind the request that is being answered, and close after it."""
        self.is_deaf = True
        self.current.keep_alive = False
        self.flow.resume_reading()

    def give_up(self) -> None:
        """Answer the current request no more, as if its client had left."""
        if not self.current.response_complete:
            self.current.disconnected = True
        self.current.message_event.set()


class HttpToolsReadsOn(ReadsOn):
    """By httptools, which parses whatever has come: `pipeline` has the requests that wait."""

    url: bytes
    headers: list[Header]
    pipeline: deque[tuple[Any, Any]]
    _current: Any = None
    _num_behind = 0

    @property
    def current(self) -> Any:
        """The request that is being answered, or was last; `cycle` is the one that came last."""
        return self._current

    def pass_over(self) -> None:
        """Forget the requests that wait, too."""
        super().pass_over()
        self.pipeline.clear()
        self.cycle = self.current

    def data_received(self, data: bytes) -> None:
        """Read, and read on."""
        super().data_received(data)
        if self.pipeline:
            self.flow.resume_reading()
            self._num_behind += len(data)
            if self._num_behind > MAX_BYTES_BEHIND:
                self.pass_over()

    def on_headers_complete(self) -> None:
        """A request begins, or has to wait."""
        self.url, self.headers[:] = with_own_host(self.url, self.headers)
        super().on_headers_complete()  # type: ignore[misc]
        if not self.pipeline:
            self._current = self.cycle

    def on_response_complete(self) -> None:
        """The next request begins, if there is one."""
        if self.pipeline:
            self._current = self.pipeline[-1][0]
        super().on_response_complete()  # type: ignore[misc]
        if not self.pipeline:
            self._num_behind = 0

    def connection_lost(self, exc: Exception | None) -> None:
        """End the request that is being answered, and those that wait."""
        super().connection_lost(exc)
        self.pipeline.clear()
        if self.current is not None:
            self.give_up()


class H11ReadsOn(ReadsOn):
    """By h11, which keeps what comes behind a request as bytes."""

    conn: Any

    def handle_events(self) -> None:
        """Parse what has come, and read on."""
        super().handle_events()  # type: ignore[misc]
        cycle = self.current
        if cycle is not None and not (cycle.more_body or cycle.response_complete):
            self.flow.resume_reading()
            if len(self.conn.trailing_data[0]) > MAX_BYTES_BEHIND:
                self.pass_over()
