"""uvicorn's connections, with what they lack: errors in OpenAI's form, and limits.

A connection on which no request comes is closed after a while, also one that has sent the half of
one; so is one whose client takes nothing for too long. No head may be longer than `MAX_HEAD_BYTES`,
and no more may follow a body.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from foretell.server.behind import H11ReadsOn, HttpToolsReadsOn, ReadsOn
from foretell.server.errors import ApiError, invalid

IDLE_SECONDS = 75
MAX_HEAD_BYTES = 2**16
LAST_SECONDS = 2.0
"""How long a client that was refused may go on writing: cut off, it would not see the answer."""


class GuardedConnection(ReadsOn):
    """To be mixed into one of uvicorn's protocols, whose attributes it uses."""

    transport: Any
    loop: asyncio.AbstractEventLoop
    send_timeout: float

    _timer: asyncio.TimerHandle | None = None
    _full: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        for timer in (self._timer, self._full):
            if timer is not None:
                timer.cancel()

    def pause_writing(self) -> None:
        """Write no more for now, since the client does not read; but not for ever."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """Write on."""
        super().resume_writing()
        if self._full is not None:
            self._full.cancel()

    def data_received(self, data: bytes) -> None:
        """Read on, unless all that comes is passed over."""
        if not self.is_deaf:
            super().data_received(data)

    def _watch_reader(self) -> None:
        size = self.transport.get_write_buffer_size()
        self._full = self.loop.call_later(self.send_timeout, self._abort_unless_read, size)

    def _abort_unless_read(self, size: int) -> None:
        """Give up if the client has taken nothing since `size` bytes were to be sent."""
        if self.transport.get_write_buffer_size() < size:
            self._watch_reader()
        else:
            self.transport.abort()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()  # type: ignore[misc]
        self._wait_for_request()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        if getattr(sys.exception(), "error_status_hint", 400) == 431:  # of h11
            self.refuse_head()
        else:
            self._refuse(invalid("this is no valid HTTP request"), "Bad Request")

    def refuse_head(self) -> None:
        """Refuse a head that is too long."""
        message = f"the head is too long: must have at most {MAX_HEAD_BYTES} bytes"
        self._refuse(ApiError(431, message), "Request Header Fields Too Large")

    @property
    def _is_busy(self) -> bool:
        return self.current is not None and not (
            self.current.response_complete or self.current.disconnected
        )

    def _refuse(self, error: ApiError, phrase: str) -> None:
        """Answer with an error, and close; an answer that has begun is broken off instead.

        What is wrong behind a request does not concern that one, which is answered before.
        """
        self.is_deaf = True
        if self._is_busy and not self.current.more_body:
            self.pass_over()
            return
        if self._is_busy and not self.current.response_started:
            self.give_up()  # this is its answer
        if self._is_busy or not self.transport.can_write_eof():
            self.transport.close()
            return
        body = error.body()
        head = (
            f"HTTP/1.1 {error.status} {phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.write_eof()
        self._close_in(LAST_SECONDS)

    def _wait_for_request(self) -> None:
        self._close_in(IDLE_SECONDS)

    def _close_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._close_unless_busy)

    def _close_unless_busy(self) -> None:
        if self._is_busy:
            return
        if self.transport.get_write_buffer_size():  # it would wait for ever to be read
            self.transport.abort()
        else:
            self.transport.close()


class HostInHead(GuardedConnection):
    """The same, with what httptools does and h11 leaves out."""

    conn: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        from foretell.server.h11_requests import OwnHosts

        self.conn = OwnHosts(self.conn.our_role, MAX_HEAD_BYTES)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Read on, unless all of a head that is too long has come: h11 knows only of parts."""
        from h11 import IDLE

        if self.conn.their_state is IDLE and len(data) > MAX_HEAD_BYTES and not self.is_deaf:
            end = data.find(b"\r\n\r\n")
            if end < 0 or end > MAX_HEAD_BYTES:
                self.refuse_head()
        super().data_received(data)


class HeadTooLongError(Exception):
    """Ends the parser's work on a request."""


class BoundedHead(GuardedConnection):
    """The same, with a bound on heads and trailers, which httptools lacks.

    Counted are the fields as they are parsed, and the bytes that are in none yet: a single read may
    have several requests, or all of a head.
    """

    _is_in_message = _is_too_long = False
    _field_bytes = 0
    _unparsed_bytes = 0

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()  # type: ignore[misc]
        self._is_in_message, self._field_bytes = True, 0

    def on_url(self, url: bytes) -> None:
        """Count a part of the path."""
        self._count(len(url))
        super().on_url(url)  # type: ignore[misc]

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a field of the head or of the trailers."""
        self._count(len(name) + len(value) + len(b": \r\n"))
        super().on_header(name, value)  # type: ignore[misc]

    def on_body(self, body: bytes) -> None:
        """A part of the body has come: what is in no field yet begins behind it."""
        super().on_body(body)  # type: ignore[misc]
        self._unparsed_bytes = 0

    def on_message_complete(self) -> None:
        """A request has ended."""
        super().on_message_complete()  # type: ignore[misc]
        self._is_in_message, self._unparsed_bytes = False, 0

    def data_received(self, data: bytes) -> None:
        """Read on, unless too much of it is neither a field nor of the body."""
        self._unparsed_bytes = len(data) + (self._unparsed_bytes if self._is_in_message else 0)
        super().data_received(data)
        if self._is_in_message and self._unparsed_bytes > MAX_HEAD_BYTES and not self.is_deaf:
            self.refuse_head()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or was broken off as too long."""
        if self._is_too_long:
            self.refuse_head()
        else:
            super().send_400_response(msg)

    def _count(self, size: int) -> None:
        self._unparsed_bytes -= size
        self._field_bytes += size
        if self._field_bytes > MAX_HEAD_BYTES:
            self._is_too_long = True
            raise HeadTooLongError


def connection_class(send_timeout: float) -> type[asyncio.Protocol]:
    """Connections by whichever parser of HTTP is installed.

    `send_timeout` is how many seconds a client may take nothing of what it is sent.
    """
    bases: tuple[type, ...] = (HostInHead, H11ReadsOn)
    if hasattr(AutoHTTPProtocol, "on_message_begin"):
        bases = (BoundedHead, HttpToolsReadsOn)
    return type("Connection", (*bases, AutoHTTPProtocol), {"send_timeout": send_timeout})
