"""Many streams of completions at once, read with as little work as can be.

The client shares the machine with the server that it measures, and what it computes is taken from
the model. So it is one thread that looks at its sockets now and then, as a client elsewhere would
find its packets, and parses nothing before the end. Tokens are counted by the usage that the
server tells: a slow reader may get several in one event.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

COUNT = re.compile(rb'"completion_tokens":\s*(\d+)')
TEXT = re.compile(rb'"text":\s*"[^"]')


@dataclass(frozen=True)
class Load:
    """What some streams at once came to.

    Attributes:
        seconds: from the first request to the last answer's end.
        tokens: of all.
        first: seconds to the first text of each, in order of their requests.
    """

    seconds: float
    tokens: int
    first: list[float]

    @property
    def tokens_per_second(self) -> float:
        """All tokens over all the time."""
        return self.tokens / self.seconds


class _Stream:
    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = time.perf_counter()
        self.socket.sendall(request)
        self.socket.setblocking(False)
        self.first: float | None = None
        self.parts: list[bytes] = []

    def read(self) -> bool:
        """Take what is there; whether it has ended."""
        data = self.socket.recv(1 << 20)
        if not data:
            self.socket.close()
            return True
        if self.first is None and TEXT.search(data):
            self.first = time.perf_counter() - self.sent
        self.parts.append(data)
        return False

    @property
    def tokens(self) -> int:
        """As the server counted them."""
        data = b"".join(self.parts)
        if b"[DONE]" not in data:
            raise SystemExit(f"a stream broke off: {data[-300:]!r}")
        return int(COUNT.findall(data)[-1])


def run_streams(url: str, bodies: Sequence[dict[str, Any]], pause: float = 0.005) -> Load:
    """Send all requests at once to `/v1/completions`, each through a connection of its own.

    Args:
        url: the server's.
        bodies: what is asked; streams with usage.
        pause: seconds between two looks at the sockets.
    """
    place = urlsplit(url)
    address = (place.hostname or "127.0.0.1", place.port or 80)
    requests = [_request(place.netloc, body) for body in bodies]
    with selectors.DefaultSelector() as selector:
        start = time.perf_counter()
        streams = [_Stream(address, request) for request in requests]
        for stream in streams:
            selector.register(stream.socket, selectors.EVENT_READ, stream)
        left = len(streams)
        while left:
            for key, _ in selector.select():
                if key.data.read():
                    selector.unregister(key.fileobj)
                    left -= 1
            if left:
                time.sleep(pause)
        seconds = time.perf_counter() - start
    firsts = [seconds if stream.first is None else stream.first for stream in streams]
    return Load(seconds, sum(stream.tokens for stream in streams), firsts)


def _request(host: str, body: dict[str, Any]) -> bytes:
    told = {"stream": True, "stream_options": {"include_usage": True}, **body}
    data = json.dumps(told).encode()
    head = (
        f"POST /v1/completions HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(data)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + data
