"""A toy server on loopback for the clients that people really use: in a thread, or on Ray."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from foretell import LLM, AsyncLLM
from foretell.backends.base import Backend
from foretell.engine.stats import EngineStats
from foretell.server.app import create_app
from foretell.server.options import ServerOptions
from foretell.server.uvicorn_server import make_server
from support.clients import RAY_PYTHON
from support.toy_async import scripted
from support.toy_chat import chatting_tokenizer

PATIENCE = 30.0
"""Seconds that a test waits for what must come, until it fails."""

OPTIONS = ServerOptions(model_names=("toy", "alias"))


@dataclass
class Served(ABC):
    """A server that runs.

    Attributes:
        url: of the API, up to `/v1`.
    """

    url: str

    @abstractmethod
    def stats(self) -> EngineStats:
        """What the engine has to do and has done."""

    def until_running(self, number: int) -> None:
        """Wait until the engine has so many texts under way, waiting ones too."""
        deadline = time.monotonic() + PATIENCE
        while (stats := self.stats()).running + stats.waiting != number:
            assert time.monotonic() < deadline, stats
            time.sleep(0.002)

    def check_idle(self) -> None:
        """Nothing may be left of any request, once the engine has noticed who went."""
        self.until_running(0)
        stats = self.stats()
        assert stats.free_blocks == stats.num_blocks


@dataclass
class ServedHere(Served):
    """A server in a thread of this process.

    Attributes:
        llm: the model behind it.
    """

    llm: AsyncLLM

    def stats(self) -> EngineStats:
        return asyncio.run(self.llm.stats())


def served(
    make: Callable[[], Backend] = scripted,
    options: ServerOptions = OPTIONS,
    *,
    loads: bool = False,
    **arguments: Any,
) -> AbstractContextManager[Served]:
    """A server of a toy model; once it is left, nothing may be left of any request.

    Args:
        make: makes the backend, there where the model is.
        options: of the server.
        loads: whether it answers before the model is there.
        arguments: of the model.
    """
    if not RAY_PYTHON:
        return served_here(make, options, loads=loads, **arguments)
    from support.served_on_ray import served_on_ray

    return served_on_ray(make, options, loads=loads, **arguments)


@contextmanager
def served_here(
    make: Callable[[], Backend] = scripted,
    options: ServerOptions = OPTIONS,
    *,
    loads: bool = False,
    **arguments: Any,
) -> Iterator[ServedHere]:
    """The same in this process, whatever else is asked for."""
    started: list[ServedHere] = []
    ready, ending = threading.Event(), threading.Event()

    async def run() -> None:
        llm = AsyncLLM(make(), tokenizer=chatting_tokenizer(), **arguments)
        listener = socket.create_server(("127.0.0.1", 0))
        server = make_server(create_app(llm, options), 60.0)
        if not loads:
            await llm.open()
        serving = asyncio.create_task(server.serve([listener]))
        await server.is_listening.wait()
        started.append(ServedHere(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", llm))
        ready.set()
        await asyncio.to_thread(ending.wait)
        server.end()
        await serving
        await llm.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="server", daemon=True)
    thread.start()
    assert ready.wait(PATIENCE), "the server has not started"
    try:
        yield started[0]
        started[0].check_idle()
    finally:
        ending.set()
        thread.join(PATIENCE)
    assert not thread.is_alive(), "the server has not ended"


def toy_alone(backend: Backend | None = None) -> LLM:
    """The toy model without a server, whose answers those of the server must be."""
    return LLM(backend or scripted(), tokenizer=chatting_tokenizer())
