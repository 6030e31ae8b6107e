"""A server of its own: sockets, signals, uvicorn around the application.

listen → load, and import meanwhile → answer 503 → ready → a signal → drain → end
"""

from __future__ import annotations

import asyncio
import gc
from asyncio import FIRST_COMPLETED
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from foretell.async_llm import AsyncLLM
from foretell.errors import ForetellError
from foretell.server.asgi import App, cancel
from foretell.server.lifecycle import Lifecycle
from foretell.server.listening import Listeners
from foretell.server.log import lines_on_stderr, log_event
from foretell.server.options import ServerOptions
from foretell.server.signals import Signals
from foretell.server.state import ServerState
from foretell.utils.quoting import TEXT, quote

if TYPE_CHECKING:
    from foretell.server.uvicorn_server import Server


MAX_THREADS = 32
"""That prepare requests. Most of their time they wait: for the renderer of chats, and the GIL."""

SOON = 1.0
"""Seconds in which bad names and options come to light: where it listens is not told before."""

YOUNG_OBJECTS = 5_000
"""How many more objects there may be before cycles are looked for among the newest."""


def serve(
    llm: AsyncLLM,
    options: ServerOptions,
    listeners: Listeners,
    on_ready: Callable[[], None] | None = None,
    build: Callable[[ServerState], App] | None = None,
) -> None:
    """Serve a model until a signal comes, and what runs then has ended.

    A second signal ends the process at once, and so does one that comes before the model is there.

    Args:
        llm: is opened here.
        options: how it is served.
        listeners: where; they are closed at the end.
        on_ready: is called once the model is there.
        build: gives the application, while the model is loaded; None: the routes.

    Raises:
        ForetellError: the model cannot be loaded, as `LLM` says, or its thread has failed.
    """
    state = ServerState(llm, options, Lifecycle())
    try:
        with lines_on_stderr(options):
            asyncio.run(_Run(state, listeners, on_ready, build or _routes).run())
    finally:
        listeners.close()


class _Run:
    """One server, from its first to its last moment."""

    def __init__(
        self,
        state: ServerState,
        listeners: Listeners,
        on_ready: Callable[[], None] | None,
        build: Callable[[ServerState], App],
    ) -> None:
        self._state = state
        self._listeners = listeners
        self._on_ready = on_ready
        self._build = build
        self._tell = partial(log_event, options=state.options)

    async def run(self) -> None:
        threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="foretell-prepare")
        asyncio.get_running_loop().set_default_executor(threads)
        lifecycle = self._state.lifecycle
        with Signals(lambda: lifecycle.phase != "loading", self._listeners.close) as signals:
            lifecycle.begin(self._state.llm)
            await asyncio.sleep(0)  # now a thread loads the model
            server = self._server()
            serving = asyncio.create_task(server.serve(list(self._listeners.sockets)))
            leaving = asyncio.create_task(signals.first())
            try:
                await self._until_ready(server)
                await self._until_any(leaving, serving)
                if leaving.done():
                    await self._leave(leaving.result().name, server)
            finally:
                leaving.cancel()
                server.end()
                await serving

    def _server(self) -> Server:
        """Imports what takes its time, while the model is loaded."""
        from foretell.server.uvicorn_server import make_server

        return make_server(self._build(self._state), self._state.options.send_timeout)

    async def _until_ready(self, server: Server) -> None:
        await server.is_listening.wait()
        loading = asyncio.create_task(self._state.lifecycle.loaded())
        await asyncio.wait({loading}, timeout=SOON)
        if loading.done():
            loading.result()
        places = " and ".join(self._listeners.places)
        self._tell(f"loading {self._state.model_names[0]}, listening at {places}")
        await loading
        _collect_garbage_as_usual()
        self._tell(f"ready: {self._state.llm.info.description}", url=self._listeners.url)
        if self._state.options.log_format == "text":
            self._tell(f"try: {example_of(self._state, self._listeners)}")
            if self._state.options.playground and self._listeners.path is None:
                self._tell(f"or see its choices in a browser: {self._listeners.url}/")
        if self._on_ready is not None:
            self._on_ready()

    async def _until_any(self, *tasks: asyncio.Task[Any]) -> None:
        """Wait for one of some tasks; ForetellError if the model's thread fails before."""
        llm = self._state.llm
        failing = asyncio.create_task(llm.ended())
        try:
            await asyncio.wait({*tasks, failing}, return_when=FIRST_COMPLETED)
        finally:
            await cancel(failing)
        if llm.failure is not None:
            await self._state.lifecycle.close(llm)
            reason = quote(llm.failure, TEXT)
            raise ForetellError(f"the model's thread has failed: {reason}") from llm.failure

    async def _leave(self, signal: str, server: Server) -> None:
        """End in order."""
        options, lifecycle = self._state.options, self._state.lifecycle
        lifecycle.leave()
        self._tell(f"{signal}: ends; another one ends it at once", running=lifecycle.num_running)
        await asyncio.sleep(options.drain_delay)
        start = perf_counter()
        num_left = await lifecycle.drain(self._state.llm, options.shutdown_timeout)
        server.allow(options.shutdown_timeout - (perf_counter() - start))
        if num_left:
            self._tell(f"{num_left} of the requests did not end in time, and were ended")


def _collect_garbage_as_usual() -> None:
    """Let Python look for reference cycles again, which it does not while a program starts.

    What is there by now stays, and is looked at no more.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)


def _routes(state: ServerState) -> App:
    from foretell.server.app import application

    return application(state)


def example_of(state: ServerState, listeners: Listeners) -> str:
    """A command that asks the server."""
    has_template = state.llm.tokenizer.chat_template is not None
    path = "/v1/chat/completions" if has_template else "/v1/completions"
    asked = '"messages": [{"role": "user", "content": "Hello"}], "preset": "chat"'
    if not has_template:
        asked = '"prompt": "The cat sat on the", "max_tokens": 20'
    parts = ["curl", f"{listeners.url}{path}", "-H 'Content-Type: application/json'"]
    if listeners.path is not None:
        parts.insert(1, f"--unix-socket {listeners.path}")
    if state.options.api_keys:
        parts.append('-H "Authorization: Bearer $FORETELL_API_KEY"')
    return " ".join([*parts, f"-d '{{{asked}}}'"])
