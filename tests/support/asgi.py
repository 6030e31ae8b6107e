"""Calls an ASGI application as a server would: whole, event by event, or leaving in the middle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any


class Answer:
    """What an application sent.

    Attributes:
        status: of HTTP; 0: nothing was sent.
        headers: by their names.
        body: all bytes so far.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.has_ended = False

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error that was answered, all of whose fields must be there."""
        found: dict[str, Any] = self.data["error"]
        assert set(found) == {"message", "type", "param", "code"}, found
        return found

    @property
    def events(self) -> list[Any]:
        """The events of a stream: data, or the word "[DONE]"."""
        found = []
        for block in self.body.decode().split("\n\n"):
            for line in block.split("\n"):
                if line.startswith("data: "):
                    data = line.removeprefix("data: ")
                    found.append(data if data == "[DONE]" else json.loads(data))
        return found


class Call:
    """A request under way."""

    def __init__(self, app: Any, scope: dict[str, Any], body: bytes) -> None:
        self.answer = Answer()
        self._body: bytes | None = body
        self._has_left = asyncio.Event()
        self._failure: Exception | None = None
        self._news = asyncio.Event()
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._has_left.wait()
        if self._failure is not None:
            raise self._failure
        return {"type": "http.disconnect"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert not self.answer.status, "a second answer"
            self.answer.status = message["status"]
            self.answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            self.answer.parts.append(message.get("body", b""))
            self.answer.has_ended = not message.get("more_body", False)
        self._news.set()

    async def until(self, text: bytes) -> None:
        """Wait until this was sent."""
        while text not in self.answer.body:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), 30)

    def leave(self) -> None:
        """Go away, as a client that closes its connection."""
        self._has_left.set()

    def fail(self, error: Exception) -> None:
        """Have the host fail, where it is asked for more of the request."""
        self._failure = error
        self._has_left.set()

    async def gone(self) -> None:
        """Leave, and wait until the application has noticed."""
        self.leave()
        with suppress(Exception):
            await asyncio.wait_for(self.task, 30)

    async def ended(self) -> Answer:
        """Wait for the end."""
        await asyncio.wait_for(self.task, 60)
        return self.answer


def begin(
    app: Any,
    path: str,
    body: Any = None,
    *,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Call:
    """Send a request; a body that is no bytes is sent as JSON, and makes it a POST."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {"host": "localhost", "content-length": str(len(data)), **(headers or {})}
    plain, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method or ("GET" if body is None else "POST"),
        "scheme": "http",
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in told.items()],
        "client": ("127.0.0.1", 5555),
        "server": ("localhost", 8000),
        "state": {},
    }
    return Call(app, scope, data)


async def call(app: Any, path: str, body: Any = None, **rest: Any) -> Answer:
    """Send a request, and wait for its answer."""
    return await begin(app, path, body, **rest).ended()
