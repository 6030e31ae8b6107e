"""A request's body: bytes, then JSON, neither of which can be trusted."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

from foretell.server.asgi import Receive
from foretell.server.errors import ApiError, invalid
from foretell.utils.quoting import quote

T = TypeVar("T")


class ClientGoneError(Exception):
    """Whoever asked has left: nobody is to be answered."""


LARGE = 2**16
"""Bytes of a body from which on it is read and checked beside the event loop."""


async def read_json(
    receive: Receive, max_bytes: int, timeout: float, then: Callable[[dict[str, Any]], T]
) -> T:
    """What `then` makes of the body, which must be a JSON object.

    Args:
        receive: of ASGI.
        max_bytes: most bytes of the body.
        timeout: seconds in which it must have come.
        then: checks it; in a helper thread, if the body is large.

    Raises:
        ApiError: it is too large, does not come in time, or is no JSON object.
        ClientGoneError: the client left before it was there.
    """
    try:
        async with asyncio.timeout(timeout):
            data = await _read(receive, max_bytes)
    except TimeoutError:
        message = f"the body did not come within {timeout:g} seconds"
        raise ApiError(408, message, headers={"connection": "close"}) from None
    if len(data) <= LARGE:
        return then(parse_object(data))
    return await asyncio.to_thread(lambda: then(parse_object(data)))


async def _read(receive: Receive, max_bytes: int) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > max_bytes:
            raise too_large(max_bytes)
        if not message.get("more_body", False):
            return b"".join(parts)


def too_large(max_bytes: int) -> ApiError:
    """A body that has more bytes than it may have."""
    message = f"the body is too large: must have at most {max_bytes} bytes"
    return ApiError(413, message, headers={"connection": "close"})


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
