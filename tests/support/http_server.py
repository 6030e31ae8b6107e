"""A toy server behind a socket of this machine, for clients that speak HTTP."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from foretell import AsyncLLM
from foretell.server.app import create_app
from foretell.server.options import ServerOptions


@contextmanager
def listening(llm: AsyncLLM, options: ServerOptions) -> Iterator[str]:
    """Serve in a thread, as `foretell serve` does; gives the address."""
    from foretell.server.uvicorn_server import make_server

    is_ready = threading.Event()
    enders: list[Callable[[], object]] = []

    async def serve(listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        async with llm:
            server = make_server(create_app(llm, options), options.send_timeout)
            enders.append(partial(loop.call_soon_threadsafe, server.end))
            serving = asyncio.create_task(server.serve([listener]))
            await server.is_listening.wait()
            is_ready.set()
            await serving

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(serve(listener)))
        thread.start()
        assert is_ready.wait(30), "the server does not listen"
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            enders[0]()
            thread.join(30)
            assert not thread.is_alive(), "the server does not end"
