"""The way out: what every answer bears, and how much of it has been sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import perf_counter

from foretell.server.asgi import Message, Receive, Send
from foretell.server.body import ClientGoneError
from foretell.server.errors import ApiError
from foretell.server.heads import JSON, Header, head_of
from foretell.server.record import RequestRecord

LINGER_SECONDS = 2.0
LINGER_BYTES = 2**26

CLOSE: Header = (b"connection", b"close")


class Reply:
    """What is received of one request, and sent in answer to it.

    Args:
        receive, send: of ASGI.
        record: the request's.

    Attributes:
        headers: that the answer gets beside its own.
        has_begun: whether its head was sent.
    """

    def __init__(self, receive: Receive, send: Send, record: RequestRecord) -> None:
        self._receive = receive
        self._send = send
        self._record = record
        self._is_read = False
        self.headers: list[Header] = []
        self.has_begun = False

    async def receive(self) -> Message:
        """The next message of the request."""
        message = await self._receive()
        if not message.get("more_body", False):
            self._is_read = True
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the answer; ClientGoneError if the host says that nobody is there."""
        if message["type"] == "http.response.start":
            self.has_begun = True
            self._record.status = message["status"]
            headers = [*message.get("headers", ()), *self._own_headers()]
            message = {**message, "headers": headers}
        try:
            await self._send(message)
        except OSError as error:
            raise ClientGoneError from error

    async def send_empty(self, status: int, headers: Iterable[Header]) -> None:
        """Answer without a body."""
        await self.send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await self.send({"type": "http.response.body", "body": b""})

    async def send_error(self, error: ApiError) -> None:
        """Answer with an error."""
        body = error.body()
        head = head_of(error.status, JSON, body, error.headers)
        self._record.note_error(error)
        await self.send(head)
        if CLOSE in head["headers"] and not self._is_read:
            await self.send({"type": "http.response.body", "body": body, "more_body": True})
            await self._linger()
            body = b""
        await self.send({"type": "http.response.body", "body": body})

    def _own_headers(self) -> list[Header]:
        milliseconds = 1e3 * (perf_counter() - self._record.arrived)
        return [
            (b"x-request-id", self._record.request_id.encode("ascii")),
            (b"openai-processing-ms", b"%d" % milliseconds),
            *self.headers,
        ]

    async def _linger(self) -> None:
        """Read on for a while: a client that still writes would not see the answer."""
        size = 0
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._is_read and size < LINGER_BYTES:
                    size += len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass
