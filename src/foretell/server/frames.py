"""Server-sent events: what a stream consists of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from json.encoder import encode_basestring
from typing import Any

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"

STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


def frame(data: Any) -> bytes:
    """An event of this data."""
    return b"data: " + dumps(data) + b"\n\n"


def long_frame(data: Any) -> bytes:
    """The same of data that may be long, to be made beside the event loop."""
    return b"data: " + dumps_long(data) + b"\n\n"


def dumps(data: Any) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def dumps_long(data: Any) -> bytes:
    """The same as `dumps`, in many small steps.

    No other thread runs within a step, the event loop's neither: json has the interpreter's lock.
    """
    return b"".join(_parts(data, 0))


_STEP = 16  # entries of a list
_DEEPEST = 3  # levels down to the lists that are long, as `choices[].logprobs`


def _parts(data: Any, depth: int) -> Iterator[bytes]:
    if isinstance(data, dict) and data and depth <= _DEEPEST + 1:
        mark = b"{"
        for name, value in data.items():
            yield mark + dumps({name: None})[1:-5]
            yield from _parts(value, depth + 1)
            mark = b","
        yield b"}"
    elif isinstance(data, list) and data and depth <= _DEEPEST and _are_objects(data, depth):
        mark = b"["
        for one in data:
            yield mark
            yield from _parts(one, depth + 1)
            mark = b","
        yield b"]"
    elif isinstance(data, list) and len(data) > _STEP:
        for start in range(0, len(data), _STEP):
            yield (b"," if start else b"[") + dumps(data[start : start + _STEP])[1:-1]
        yield b"]"
    else:
        yield dumps(data)


def _are_objects(data: list[Any], depth: int) -> bool:
    """Whether a list is one of the few whose entries may themselves be long."""
    return isinstance(data[0], dict) and (depth <= 1 or len(data) <= _STEP)


class TextFrames:
    """Events that are alike but for one text: the JSON around it is made once.

    Args:
        data: an event's data, with `SLOT` where the text is to be.
    """

    SLOT = "\ue000text\ue000"

    def __init__(self, data: Any) -> None:
        before, after = dumps(data).decode().split(f'"{self.SLOT}"')
        self._before, self._after = f"data: {before}", f"{after}\n\n"

    def frame(self, text: str) -> bytes:
        """The event with this text."""
        return f"{self._before}{encode_basestring(text)}{self._after}".encode("utf-8", "replace")
