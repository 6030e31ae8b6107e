"""Sorts a step's events by request, so that several readers can share one engine.

Whoever wants an event and finds none steps the engine for all: two streams read in turns run in the
same batches.
"""

from __future__ import annotations

from collections.abc import Collection

from foretell.engine.engine import Engine
from foretell.engine.events import Event
from foretell.engine.request import Request
from foretell.errors import QueueFullError, RequestError

CLOSED = "this LLM is closed: make another"


class EngineClient:
    """The open requests of an engine, and the events that wait for their readers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pending: dict[int, list[Event]] = {}
        self._is_closed = False

    def check(self, request: Request) -> None:
        """Raise RequestError if the request could never run."""
        self._engine.check(request)

    def submit(self, request: Request) -> int:
        """Add a request that `check` let pass, and return its id; steps while too many wait."""
        while (request_id := self.try_submit(request)) is None:
            self._step()
        return request_id

    def try_submit(self, request: Request) -> int | None:
        """Add a request that `check` let pass, and return its id; None if too many wait for now."""
        self._require_open()
        try:
            request_id = self._engine.add(request, is_checked=True)
        except QueueFullError:
            if not self._engine.has_work:
                raise
            return None
        self._pending[request_id] = []
        return request_id

    def poll(self, request_ids: Collection[int]) -> list[Event]:
        """The next events of these open requests, at least one; steps the engine if need be.

        A request that has given its last event must be left out.
        """
        self._require_open()
        events: list[Event] = []
        while True:
            for request_id in request_ids:
                if self._pending[request_id]:
                    events += self._pending[request_id]
                    self._pending[request_id] = []
            if events:
                return events
            if not self._step() and not self._engine.has_work:
                raise RequestError(
                    f"requests {list(request_ids)} have ended: there is no more to take"
                )

    def abort_sample(self, request_id: int, sample: int) -> None:
        """Abort one sample of a request; the others go on."""
        self._engine.abort(request_id, sample)

    def release(self, request_id: int) -> None:
        """Abort the request if it has not ended, and forget it."""
        self._pending.pop(request_id, None)
        self._engine.abort(request_id)

    def close(self) -> None:
        """Close every open request; nothing can be opened or taken any more."""
        self._is_closed = True
        for request_id in list(self._pending):
            self.release(request_id)

    def _require_open(self) -> None:
        if self._is_closed:
            raise RequestError(CLOSED)

    def _step(self) -> bool:
        """Step the engine, and sort its events; whether there were any."""
        events = self._engine.step()
        for event in events:
            if event.request_id in self._pending:
                self._pending[event.request_id].append(event)
        return bool(events)
