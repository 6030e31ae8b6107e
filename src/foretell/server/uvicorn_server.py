"""uvicorn's server, which is told when to end, and takes no signals itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

import uvicorn

from foretell.server.connections import IDLE_SECONDS, MAX_HEAD_BYTES, connection_class
from foretell.server.listening import BACKLOG

CLOCK_SECONDS = 1.0
"""How old the `date` header may be."""


class Server(uvicorn.Server):
    """Serves until `end` is called.

    Attributes:
        is_listening: is set once requests are answered, or cannot be.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_listening = asyncio.Event()
        self._has_ended = asyncio.Event()

    def end(self) -> None:
        """Close all connections, and end."""
        self.should_exit = True
        self._has_ended.set()

    def allow(self, seconds: float) -> None:
        """Let clients have so many seconds, from the end on, to read what was sent."""
        self.config.timeout_graceful_shutdown = max(1, ceil(seconds))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        try:
            await super().startup(sockets)
        finally:
            self.is_listening.set()

    async def main_loop(self) -> None:
        """Keep the clock of the answers, and wait for the end."""
        while not await self.on_tick(0):
            try:
                await asyncio.wait_for(self._has_ended.wait(), CLOCK_SECONDS)
            except TimeoutError:
                continue

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def make_server(app: Any, send_timeout: float) -> Server:
    """A server that says nothing, and answers with nothing of its own but the date.

    `send_timeout` is how many seconds a client may take nothing of what it is sent.
    """
    config = uvicorn.Config(
        app,
        http=connection_class(send_timeout),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    return Server(config)
