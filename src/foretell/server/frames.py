"""Server-sent events: what a stream consists of."""

from __future__ import annotations

import json
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


def dumps(data: Any) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


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
