"""The head of a request, and what is to be believed of it; the head of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from uuid import uuid4

from foretell.server.asgi import Message, Scope, Send

Header = tuple[bytes, bytes]

JSON = "application/json"

_SANE_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_NUMBER = re.compile(rb"[0-9]+")


def values_of(scope: Scope, name: bytes) -> list[bytes]:
    """The values of all headers of this name, which is in lower case."""
    return [value for key, value in scope["headers"] if key == name]


def value_of(scope: Scope, name: bytes) -> bytes | None:
    """The value of the first header of this name; None where there is none."""
    return next((value for key, value in scope["headers"] if key == name), None)


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
