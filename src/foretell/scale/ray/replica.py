"""What runs in a process of Ray Serve's: a model, behind the same routes as any server's.

It listens nowhere: heads and bodies of requests come from the front (`gate.py`), and messages of
ASGI go back there.
"""

from __future__ import annotations

import asyncio
from asyncio import Queue
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import perf_counter
from typing import Any, TypedDict

from foretell.errors import ForetellError
from foretell.scale.ray.counts import CountedMetrics, Counts
from foretell.scale.ray.model import Opening
from foretell.server.app import application
from foretell.server.asgi import Message, Scope, cancel
from foretell.server.heads import value_of
from foretell.server.lifecycle import Lifecycle
from foretell.server.options import ServerOptions
from foretell.server.record import RequestRecord
from foretell.server.serving import MAX_THREADS
from foretell.server.state import ServerState

NOTED = "foretell.noted"
"""The type of the last message of an answer: what was noted of the request."""


class Described(TypedDict):
    """What the front tells of a model."""

    description: str


class Replica:
    """One of a server's models, with all that its routes do.

    Args:
        opening: the model.
        options: of the server.
    """

    def __init__(self, opening: Opening, options: ServerOptions) -> None:
        with ThreadPoolExecutor(1) as beside:  # an event loop runs in this thread
            self._llm = beside.submit(asyncio.run, opening.open()).result()
        self._noted = _NotedMetrics(Counts())
        self._app = application(ServerState(self._llm, options, Lifecycle(), self._noted))
        self._has_threads = False

    def describe(self) -> Described:
        """What runs here."""
        return {"description": self._llm.info.description}

    def check_health(self) -> None:
        """Called by Ray, which begins another replica where this raises."""
        if self._llm.failure is not None:
            raise ForetellError(f"the model's thread has failed: {self._llm.failure}")

    async def answer(self, scope: Scope, body: bytes) -> AsyncIterator[list[Message]]:
        """The messages of an answer, as they come; first of all none, as soon as it is begun.

        Args:
            scope: of ASGI.
            body: of the request.
        """
        yield []
        self._use_threads()
        sent: Queue[Message | None] = Queue()
        task = asyncio.create_task(self._run(scope, body, sent))
        task.add_done_callback(lambda _: sent.put_nowait(None))
        try:
            while messages := await _waiting(sent):
                yield messages
            await task
            yield [{"type": NOTED, "record": self._noted.take(_id_of(scope))}]
        finally:
            await cancel(task)
            self._noted.take(_id_of(scope))

    async def _run(self, scope: Scope, body: bytes, sent: Queue[Message | None]) -> None:
        asked: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if not asked:
                await asyncio.Event().wait()  # whoever leaves cancels the whole
            return asked.pop()

        async def send(message: Message) -> None:
            sent.put_nowait(message)

        await self._app(scope, receive, send)

    def _use_threads(self) -> None:
        """Let as many requests be prepared at a time as a server of its own does."""
        if not self._has_threads:
            threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="foretell-prepare")
            asyncio.get_running_loop().set_default_executor(threads)
            self._has_threads = True


class _NotedMetrics(CountedMetrics):
    """Counts, and keeps what was noted of a request until the front is told."""

    def __init__(self, counts: Counts) -> None:
        super().__init__(counts)
        self._records: dict[str, RequestRecord] = {}

    def note(self, record: RequestRecord) -> None:
        """Count a request that has ended just now."""
        super().note(record)
        self._records[record.request_id] = record

    def take(self, request_id: str) -> RequestRecord | None:
        """What was noted of a request, in seconds since it arrived; None: nothing, or it is told.

        The clock of one process says nothing to another.
        """
        record = self._records.pop(request_id, None)
        if record is None:
            return None
        times = ("queued", "begun", "first", "last")
        since: dict[str, Any] = {
            name: value - record.arrived
            for name in times
            if (value := getattr(record, name)) is not None
        }
        return replace(record, **since, arrived=perf_counter() - record.arrived)


async def _waiting(sent: Queue[Message | None]) -> list[Message]:
    """What was sent meanwhile, once there is something; nothing once all is."""
    found = [await sent.get()]
    while not sent.empty():
        found.append(sent.get_nowait())
    if found[-1] is None and len(found) > 1:
        sent.put_nowait(None)
    return [message for message in found if message is not None]


def _id_of(scope: Scope) -> str:
    """The request's id, which the front has given it."""
    found = value_of(scope, b"x-request-id")
    assert found is not None
    return found.decode()
