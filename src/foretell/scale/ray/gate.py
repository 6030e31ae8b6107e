"""A server's front, where its models are replicas of Ray Serve's.

What is before the routes of any server (`server/front.py`) is before these: hosts, keys, limits,
the log. Then a request's head and body go to a replica, and its answer comes back, message by
message. A replica that dies takes its own requests with it, and each of them is told so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any, Protocol

from foretell.scale.ray.replica import NOTED
from foretell.server.app import endpoints
from foretell.server.asgi import RECORD, Message, Receive, Scope, Send, cancel
from foretell.server.body import ClientGoneError, read_bytes
from foretell.server.errors import RETRY_SECONDS, ApiError
from foretell.server.frames import frame
from foretell.server.front import Front
from foretell.server.health import Readiness
from foretell.server.record import RequestRecord
from foretell.server.routes import Endpoint, Endpoints, Probe
from foretell.server.state import ServerState

ANSWERED_HERE = ("/", "/playground/{name:path}")
"""Paths that need no replica."""

BEGIN_SECONDS = 60.0
"""Seconds in which a replica must have begun with a request."""

OWN_HEADERS = (b"x-request-id", b"openai-processing-ms")
"""That the front adds itself."""

FROM_REPLICAS = (
    *("model", "streams", "max_tokens", "seed", "is_view", "finish_reasons", "gaps"),
    *("prompt_tokens", "cached_tokens", "completion_tokens", "prompt"),
    *("error", "error_kind", "error_param", "error_code"),
)
"""What the front takes over of what a replica has noted."""


class Replicas(Protocol):
    """Where requests are sent."""

    @property
    def num_running(self) -> int:
        """How many can be asked."""
        ...

    def answer(self, scope: Scope, body: bytes) -> AsyncGenerator[list[Message], None]:
        """The messages of an answer, first of all none; ApiError where its replica has died."""
        ...


def gate(state: ServerState, replicas: Replicas) -> Front:
    """An application that has replicas answer."""
    return Front(state, Endpoints(_endpoints(state, replicas)))


def _endpoints(state: ServerState, replicas: Replicas) -> Iterator[Endpoint]:
    for one in endpoints(state):
        if one.path == "/ready":
            yield Probe("/ready", _Ready(state, replicas), is_open=True)
        elif one.is_probe or one.path in ANSWERED_HERE:
            yield one
        else:
            method = next(iter((one.methods or set()) - {"HEAD"}))
            yield Endpoint(method, one.path, Forward(state, replicas), is_open=one.is_open)


class _Ready(Readiness):
    """Says whether there is a replica, too."""

    def __init__(self, state: ServerState, replicas: Replicas) -> None:
        super().__init__(state)
        self._replicas = replicas

    @property
    def is_well(self) -> bool:
        """Whether more requests should come."""
        return super().is_well and self._replicas.num_running > 0

    @property
    def word(self) -> str:
        """What is the matter, where it is not well."""
        return "no replica is there" if super().is_well else super().word


class Forward:
    """Answers by what a replica answers.

    Args:
        state: the server's.
        replicas: answer.
    """

    def __init__(self, state: ServerState, replicas: Replicas) -> None:
        self._state = state
        self._replicas = replicas

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; ClientGoneError if the client leaves."""
        options = self._state.options
        with self._state.room.place() as add:
            body = await read_bytes(receive, add, options.max_body_bytes, options.body_timeout)
            answer = _Answer(send, scope[RECORD])
            task = asyncio.ensure_future(self._answer(scope, body, answer))
            leaving = asyncio.ensure_future(_until_gone(receive))
            try:
                await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if not (task.done() or answer.has_ended):
                    raise ClientGoneError
                await task
            finally:
                await cancel(task, leaving)
                del task, leaving  # as in exchange.py: an error's traceback leads here

    async def _answer(self, scope: Scope, body: bytes, answer: _Answer) -> None:
        async with aclosing(self._replicas.answer(_head(scope), body)) as messages:
            try:
                await _begun(messages)
                async for some in messages:
                    for message in some:
                        await answer.take(message)
            except ApiError as error:
                await answer.fail(error)


class _Answer:
    """An answer on its way from a replica to a client.

    Attributes:
        has_ended: whether all of it was sent.
    """

    def __init__(self, send: Send, record: RequestRecord) -> None:
        self._send = send
        self._record = record
        self._has_begun = self._is_stream = self.has_ended = False

    async def take(self, message: Message) -> None:
        """Send a message on, or take note of what was noted."""
        if message["type"] == NOTED:
            _note(self._record, message["record"])
            return
        if message["type"] == "http.response.start":
            self._has_begun = True
            self._is_stream = (b"content-type", b"text/event-stream; charset=utf-8") in [
                tuple(header) for header in message["headers"]
            ]
            message["headers"] = [
                header for header in message["headers"] if header[0] not in OWN_HEADERS
            ]
        else:
            self.has_ended = not message.get("more_body", False)
        await self._send(message)

    async def fail(self, error: ApiError) -> None:
        """Tell of an error: as the answer, or in the stream; an answer half sent is cut off."""
        if self.has_ended:
            return
        if not self._has_begun:
            raise error
        self._record.note_error(error)
        if not self._is_stream:
            raise error
        event = b"\n\n" + frame(error.as_dict())  # behind whatever event was cut off
        await self._send({"type": "http.response.body", "body": event, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})


async def _begun(messages: AsyncIterator[list[Message]]) -> None:
    """Wait until a replica has begun with the request; ApiError if none does."""
    try:
        async with asyncio.timeout(BEGIN_SECONDS):
            await anext(messages)
    except TimeoutError:
        raise unavailable("no replica has taken the request: try again") from None


def unavailable(message: str) -> ApiError:
    """What is worth asking for again."""
    return ApiError(503, message, headers={"retry-after": str(RETRY_SECONDS)})


def _head(scope: Scope) -> Scope:
    """What a replica needs of a request's head, as plain data; its id is the front's."""
    record: RequestRecord = scope[RECORD]
    headers = [header for header in scope["headers"] if header[0] != b"x-request-id"]
    headers.append((b"x-request-id", record.request_id.encode("ascii")))
    kept = ("type", "method", "path", "raw_path", "query_string", "scheme", "http_version")
    told: dict[str, Any] = {name: scope[name] for name in kept if name in scope}
    return {**told, "asgi": {"version": "3.0"}, "root_path": "", "headers": headers}


def _note(record: RequestRecord, noted: RequestRecord | None) -> None:
    if noted is None:
        return
    for name in FROM_REPLICAS:
        setattr(record, name, getattr(noted, name))
    for name in ("queued", "begun", "first", "last"):
        since = getattr(noted, name)
        setattr(record, name, None if since is None else record.arrived + since)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
