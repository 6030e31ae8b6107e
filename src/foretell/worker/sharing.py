"""The engine of an LLM that others use at the same time, as a dispatcher knows engines."""

from __future__ import annotations

from typing import Protocol

from foretell.engine.client import EngineClient
from foretell.engine.engine import Engine
from foretell.engine.events import Event
from foretell.engine.request import Request
from foretell.engine.stats import EngineStats


class Runner(Protocol):
    """What a dispatcher wants of an engine."""

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        ...

    def stats(self) -> EngineStats:
        """What it is doing."""
        ...

    def add(self, request: Request, *, is_checked: bool = False) -> int:
        """Take a request on; its id."""
        ...

    def abort(self, request_id: int, sample: int | None = None) -> None:
        """Drop a request, or one of its samples."""
        ...

    def discard(self, event: Event) -> None:
        """Pass over an event behind the end of a text."""
        ...

    def step(self) -> list[Event]:
        """Run a batch; the events that came of it."""
        ...


class SharedEngine:
    """An engine by way of its client: a step is run for all, and gives the own events.

    Args:
        client: of the LLM.
        engine: which it is the client of.
    """

    def __init__(self, client: EngineClient, engine: Engine) -> None:
        self._client = client
        self._engine = engine
        self._open: set[int] = set()

    @property
    def has_work(self) -> bool:
        """Whether a request of its own is under way."""
        return bool(self._open)

    def stats(self) -> EngineStats:
        """What the engine is doing, for whomever."""
        return self._engine.stats()

    def add(self, request: Request, *, is_checked: bool = False) -> int:
        """Take a request on, once there is room for it."""
        if not is_checked:
            self._client.check(request)
        return self._client.submit(request, self._open)

    def abort(self, request_id: int, sample: int | None = None) -> None:
        """Drop a request, or one of its samples; one that has ended is forgotten."""
        if request_id not in self._open:
            return
        if sample is not None:
            self._client.abort_sample(request_id, sample)
            return
        self._open.remove(request_id)
        self._client.release(request_id)

    def discard(self, event: Event) -> None:
        """Pass over an event behind the end of a text."""
        self._client.discard(event)

    def step(self) -> list[Event]:
        """The next events of its own requests, which may be none; steps once at most."""
        return self._client.try_poll(self._open)
