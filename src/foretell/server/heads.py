"""The head of a request, and what is to be believed of it; the head of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from uuid import uuid4

from foretell.server.asgi import Message, Scope, Send
from foretell.server.errors import ApiError

Header = tuple[bytes, bytes]

JSON = "application/json"

_SANE_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_ABSOLUTE = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]*://(?P<host>[^/?#]*)(?P<path>.*)", re.DOTALL)
_NUMBER = re.compile(rb"[0-9]+")


def values_of(scope: Scope, name: bytes) -> list[bytes]:
    """The values of all headers of this name, which is in lower case."""
    return [value for key, value in scope["headers"] if key == name]


def value_of(scope: Scope, name: bytes) -> bytes | None:
    """The value of the first header of this name; None where there is none."""
    return next((value for key, value in scope["headers"] if key == name), None)


def with_own_host(target: bytes, headers: list[Header]) -> tuple[bytes, list[Header]]:
    """A request's target without a host, and its headers with that host in place of their own.

    So it is told for `GET http://example.com/health`, whose `Host` header counts for nothing.
    """
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        return target, headers
    others = [(name, value) for name, value in headers if name != b"host"]
    if len(others) == len(headers) - 1:
        headers = [*others, (b"host", found["host"])]
    path = found["path"]
    return path if path.startswith(b"/") else b"/" + path, headers


def check_framing(scope: Scope) -> None:
    """Raise ApiError if the head tells the body's length in two ways, as h11 lets pass.

    A proxy may believe the other one, and take for a body what is a request here.
    """
    if values_of(scope, b"content-length") and values_of(scope, b"transfer-encoding"):
        message = "there are a content-length and a transfer-encoding: must be one of them"
        raise ApiError(400, message, headers={"connection": "close"})


def request_id_of(scope: Scope) -> str:
    """The client's own `x-request-id` if that is short and visible ASCII, else a new one."""
    given = value_of(scope, b"x-request-id")
    if given is not None and _SANE_ID.fullmatch(given):
        return given.decode("ascii")
    return f"req_{uuid4().hex}"


def content_length_of(scope: Scope) -> int | None:
    """How many bytes the body has, if the head says so."""
    given = value_of(scope, b"content-length")
    return int(given[:18]) if given is not None and _NUMBER.fullmatch(given) else None


def head_of(
    status: int, kind: str, body: bytes, more: Mapping[str, str] = MappingProxyType({})
) -> Message:
    """The beginning of an answer whose body is there as a whole, of this content type."""
    told = {"content-type": kind, "content-length": str(len(body)), **more}
    headers = as_headers(told.items())
    return {"type": "http.response.start", "status": status, "headers": headers}


async def send_whole(
    send: Send, status: int, kind: str, body: bytes, more: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Answer with this body, and more headers."""
    await send(head_of(status, kind, body, more))
    await send({"type": "http.response.body", "body": body})


def as_headers(pairs: Iterable[tuple[str, str]]) -> list[Header]:
    """Headers as ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
