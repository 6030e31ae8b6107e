"""A request's body: bytes, then JSON, neither of which can be trusted."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from foretell.server.asgi import Receive
from foretell.server.errors import RETRY_SECONDS, ApiError, invalid
from foretell.utils.quoting import quote

T = TypeVar("T")


class ClientGoneError(Exception):
    """Whoever asked has left: nobody is to be answered."""


LARGE = 2**16
"""Bytes of a body from which on it is read and checked beside the event loop."""


class Room:
    """Memory for all bodies that are being received and read: a bound for them together.

    Args:
        most: bytes. Beyond it only bodies that are not large are still received.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @property
    def taken(self) -> int:
        """Bytes of all bodies that are there now."""
        return self._taken

    @contextmanager
    def place(self) -> Iterator[Callable[[int], None]]:
        """A block in which a body is there; ApiError where the bytes that it adds find no room."""
        own = 0

        def add(size: int) -> None:
            nonlocal own
            if own + size > LARGE and self._taken + size > self._most:
                raise _no_room()
            own += size
            self._taken += size

        try:
            yield add
        finally:
            self._taken -= own


async def read_json(
    receive: Receive,
    room: Room,
    max_bytes: int,
    timeout: float,
    then: Callable[[dict[str, Any]], T],
) -> T:
    """What `then` makes of the body, which must be a JSON object.

    Args:
        receive: of ASGI.
        room: for all bodies.
        max_bytes: most bytes of the body.
        timeout: seconds in which it must have come.
        then: checks it; in a helper thread, if the body is large.

    Raises:
        ApiError: it is too large, does not come in time, or is no JSON object; or there are too
            many others.
        ClientGoneError: the client left before it was there.
    """
    with room.place() as add:
        data = await read_bytes(receive, add, max_bytes, timeout)
        if len(data) <= LARGE:
            return then(parse_object(data))
        return await asyncio.to_thread(lambda: then(parse_object(data)))


async def read_bytes(
    receive: Receive, add: Callable[[int], None], max_bytes: int, timeout: float
) -> bytes:
    """The body, for which `add` finds room; errors are those of `read_json`."""
    try:
        async with asyncio.timeout(timeout):
            return await _read(receive, max_bytes, add)
    except TimeoutError:
        message = f"the body did not come within {timeout:g} seconds"
        raise ApiError(408, message, headers={"connection": "close"}) from None


async def _read(receive: Receive, max_bytes: int, add: Callable[[int], None]) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > max_bytes:
            raise too_large(max_bytes)
        add(len(parts[-1]))
        if not message.get("more_body", False):
            return b"".join(parts)


def too_large(max_bytes: int) -> ApiError:
    """A body that has more bytes than it may have."""
    message = f"the body is too large: must have at most {max_bytes} bytes"
    return ApiError(413, message, headers={"connection": "close"})


def _no_room() -> ApiError:
    """So many bodies are being received that there is no memory for another."""
    headers = {"retry-after": str(RETRY_SECONDS), "connection": "close"}
    return ApiError(503, "too many large bodies are being received: try again", headers=headers)


def parse_object(data: bytes) -> dict[str, Any]:
    """Bytes as a JSON object, strictly: no NaN, no number that is infinite as a float."""
    if not data.strip():
        raise invalid("the body is empty: must be a JSON object")
    try:
        found = json.loads(data.decode(), parse_constant=_refuse, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise invalid(
            f"the body has byte 0x{data[error.start]:02x} at {error.start}: must be UTF-8"
        ) from None
    except RecursionError:
        raise invalid("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise invalid(f"the body is not JSON: {error}") from None
    except ValueError as error:
        raise invalid(f"the body has {error}") from None
    if not isinstance(found, dict):
        raise invalid(f"the body is {quote(found)}: must be a JSON object")
    return found


def _refuse(name: str) -> float:
    raise ValueError(f"{name}, which is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]}, which is too large for a number")
    return number
