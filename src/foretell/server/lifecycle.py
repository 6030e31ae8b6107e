"""A server's life: loading, ready, draining, closed.

    begin() ─→ loading ─→ ready ─ leave() ─→ ready still, /ready says no
                                └─ drain() ─→ draining: what runs may end ─→ closed

A host of ASGI tells of its start and end by messages; `foretell serve` calls `drain` itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

from foretell.async_llm import AsyncLLM
from foretell.errors import ForetellError, RequestError
from foretell.server.asgi import Receive, Send
from foretell.server.errors import RETRY_SECONDS, ApiError, shutting_down
from foretell.text.chat.prompt import chat_prompt

Phase = Literal["loading", "ready", "draining", "closed"]

LAST_WORDS = 1.0
"""Seconds that requests which were ended have to tell their clients."""


class Lifecycle:
    """In which phase of its life a server is, and what runs in it.

    Attributes:
        phase: "loading" until the model is there, "draining" from the end of `drain_delay` on.
        is_leaving: whether it has been told to end, and `/ready` says no.
        failure: why the model could not be loaded.
    """

    def __init__(self) -> None:
        self.phase: Phase = "loading"
        self.is_leaving = False
        self.failure: Exception | None = None
        self._loading: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None
        self._has_begun = self._is_owner = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()

    def begin(self, llm: AsyncLLM) -> None:
        """Load the model in the background, unless that has begun, or it is open already."""
        if self._has_begun:
            return
        self._has_begun = True
        if _is_open(llm):
            self.phase = "ready"
            return
        self._is_owner = True
        self._loading = asyncio.create_task(self._load(llm))

    async def loaded(self) -> None:
        """Wait until the model is there; raises why it cannot be."""
        if self._loading is not None:
            await asyncio.wait({self._loading})
        if self.failure is not None:
            raise self.failure

    @contextmanager
    def running(self) -> Iterator[None]:
        """A block in which a request is worked on; ApiError if none can be now."""
        if self.phase != "ready":
            raise self.refusal()
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)
            self._changed.set()

    @property
    def num_running(self) -> int:
        """Requests that are worked on."""
        return len(self._tasks)

    def refusal(self) -> ApiError:
        """Why nothing can be answered now."""
        headers = {"retry-after": str(RETRY_SECONDS)}
        if self.failure is not None:
            return ApiError(503, "the model could not be loaded: the log says why", headers=headers)
        if self.phase == "loading":
            return ApiError(503, "the model is loading: try again soon", headers=headers)
        return shutting_down()

    def leave(self) -> None:
        """Say from now on that no more requests should be sent here."""
        self.is_leaving = True

    async def drain(self, llm: AsyncLLM, seconds: float) -> int:
        """Take nothing on any more, and wait until what runs has ended, or is ended.

        Returns how many requests had to be ended after so many seconds.
        """
        self.leave()
        self.phase = "draining"
        await self._until_idle(seconds)
        num_left = self.num_running
        self.phase = "closed"
        await self.close(llm)
        await self._until_idle(LAST_WORDS)
        for task in tuple(self._tasks):
            task.cancel()
        await self._until_idle(LAST_WORDS)
        return num_left

    async def close(self, llm: AsyncLLM) -> None:
        """Let go of the model, if it was opened here: what is under way ends with an error."""
        self.leave()
        self.phase = "closed"
        if self._is_owner:
            await llm.close()

    async def follow_host(self, llm: AsyncLLM, receive: Receive, send: Send) -> None:
        """Begin and end with an ASGI host."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.begin(llm)
                if self._loading is not None:
                    self._loading.add_done_callback(self._tell_host)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.close(llm)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _tell_host(self, _: asyncio.Task[None]) -> None:
        """Log why a model could not be loaded; `foretell serve` ends with it instead."""
        if self.failure is not None:
            logging.getLogger("foretell.server").error(
                "the model cannot be served: %s", self.failure
            )

    async def _load(self, llm: AsyncLLM) -> None:
        try:
            await llm.open()
        except Exception as error:  # noqa: BLE001  `loaded` raises it
            self.failure = error
            self.phase = "closed"
        else:
            if self.phase == "loading":
                self.phase = "ready"
            self._warming = asyncio.create_task(asyncio.to_thread(_warm_up, llm))

    async def _until_idle(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    self._changed.clear()
                    await self._changed.wait()


def _is_open(llm: AsyncLLM) -> bool:
    try:
        return bool(llm.info)
    except RequestError:
        return False


def _warm_up(llm: AsyncLLM) -> None:
    """Start what renders chats, so that the first of them need not wait for that."""
    if llm.tokenizer.chat_template is not None:
        with suppress(ForetellError):
            chat_prompt(llm.tokenizer, [{"role": "user", "content": "Hello"}])
