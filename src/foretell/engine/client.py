"""Sorts a step's events by request, so that several readers can share one engine.

Whoever wants an event and finds none steps the engine for all: streams that are read in turns, by
one thread or by several, run in the same batches.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from threading import Lock, get_ident
from time import sleep
from typing import ParamSpec, TypeVar

from foretell.engine.engine import Engine
from foretell.engine.events import EndEvent, Event, TokenEvent
from foretell.engine.request import Request
from foretell.errors import QueueFullError, RequestError

P = ParamSpec("P")
T = TypeVar("T")

CLOSED = "this LLM is closed: make another"
INSIDE = (
    "a function that the model's step calls, such as a logits processor, cannot ask this LLM: it "
    "waits for the function"
)
FORKED = "this process was forked while the request was under way: ask again"
GIVING_WAY = 0.0005
"""Seconds that a thread leaves to those that wait: else it could take the lock again and again."""


class EngineClient:
    """The open requests of an engine, and the events that wait for their readers.

    Its methods may be called from any thread. One thread at a time is inside the engine, for no
    longer than a step.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pending: dict[int, list[Event]] = {}
        self._aborts: deque[tuple[int, int | None]] = deque()  # to be carried out by who is inside
        self._discarded: deque[Event] = deque()  # likewise
        self._lock = Lock()  # taken by who is inside
        self._insider: int | None = None  # which thread that is
        self._waiting: dict[int, None] = {}  # threads that want to be inside
        self._was_interrupted = False
        self._process = os.getpid()
        self._is_closed = False

    def check(self, request: Request) -> None:
        """Raise RequestError if the request could never run."""
        self._engine.check(request)

    def submit(self, request: Request, ids: set[int]) -> int:
        """Add a request that `check` let pass; steps while too many wait. See `try_submit`."""
        while (request_id := self.try_submit(request, ids)) is None:
            self._inside(self._step)
        return request_id

    def try_submit(self, request: Request, ids: set[int]) -> int | None:
        """Add a request that `check` let pass; None if too many wait for now.

        Its id is returned, and added to `ids` before that: its reader can release it whatever comes
        between.
        """
        return self._inside(self._add, request, ids)

    def call(self, act: Callable[[Engine], T]) -> T:
        """What `act` makes of the engine between two steps, while no thread is inside."""
        return self._inside(act, self._engine)

    def poll(self, request_ids: Collection[int]) -> list[Event]:
        """The next events of these open requests, at least one; steps the engine if need be.

        A request that has given its last event must be left out.
        """
        while not (events := self._inside(self._advance, request_ids)):
            pass
        return events

    def try_poll(self, request_ids: Collection[int]) -> list[Event]:
        """As `poll`, with one step at most: there may be no events yet."""
        return self._inside(self._advance, request_ids)

    def abort_sample(self, request_id: int, sample: int) -> None:
        """Abort one sample of a request; the others go on."""
        self._aborts.append((request_id, sample))
        self._settle()

    def discard(self, event: Event) -> None:
        """Pass over an event behind the end of a text: see `Engine.discard`."""
        if isinstance(event, TokenEvent) and event.is_ahead:
            self._discarded.append(event)
            self._settle()

    def release(self, request_id: int) -> None:
        """Abort the request if it has not ended, and forget it; after a step that is under way.

        It does not wait for that: the garbage collector may call it, in the middle of anything.
        """
        self._aborts.append((request_id, None))
        self._settle()

    def close(self) -> None:
        """Close every open request; nothing can be opened or taken any more."""
        self._is_closed = True
        for request_id in list(self._pending):
            self.release(request_id)

    # Inside: one thread at a time

    def _inside(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `act` returns, which runs alone.

        Ctrl-C can come anywhere. `with` releases the lock in any case, and then the next one inside
        lets the engine recover.

        Raises:
            RequestError: this thread is inside already, or the client is closed.
        """
        thread = get_ident()
        if self._process != os.getpid():
            self._begin_anew()
        if self._lock.locked():
            if self._insider == thread:
                raise RequestError(INSIDE)
        elif self._waiting:
            sleep(GIVING_WAY)
        self._waiting[thread] = None  # always: another may take the lock before it is taken here
        with self._lock:
            self._insider = thread  # at once: the next call may run a signal's handler
            try:
                self._waiting.pop(thread, None)
                if self._was_interrupted:
                    self._recover()
                self._was_interrupted = True  # until this is over
                if self._aborts or self._discarded:
                    self._do_due()
                if self._is_closed:
                    raise RequestError(CLOSED)
                result = act(*args, **kwargs)
                self._was_interrupted = False
            except Exception:
                self._was_interrupted = False
                raise
            finally:
                self._insider = None
        if self._aborts or self._discarded:
            self._settle()
        return result

    def _add(self, request: Request, ids: set[int]) -> int | None:
        try:
            request_id = self._engine.add(request, is_checked=True)
        except QueueFullError:
            if not self._engine.has_work:
                raise
            return None
        ids.add(request_id)
        self._pending[request_id] = []
        return request_id

    def _advance(self, request_ids: Collection[int]) -> list[Event]:
        """Take the events of these requests; step once if there are none."""
        pending = self._pending
        ready = [request_id for request_id in request_ids if pending[request_id]]
        if not ready:
            if not self._step() and not self._engine.has_work:
                raise RequestError(
                    f"requests {list(request_ids)} have ended: there is no more to take"
                )
            ready = [request_id for request_id in request_ids if pending[request_id]]
        events: list[Event] = []
        for request_id in ready:
            events += pending[request_id]
            pending[request_id] = []
        return events

    def _step(self) -> bool:
        """Step the engine, and sort its events; whether there were any."""
        events = self._engine.step()
        for event in events:
            if event.request_id in self._pending:
                self._pending[event.request_id].append(event)
        return bool(events)

    def _settle(self) -> None:
        """Carry out what is due, unless a thread is inside, which sees to it."""
        while (self._aborts or self._discarded) and not self._lock.locked():
            with suppress(RequestError):  # closed, once all is done
                self._inside(_nothing)

    def _recover(self) -> None:
        """Set right what an interruption left, and drop what was added to the engine alone."""
        self._engine.recover()
        self._engine.keep_only(self._pending)

    def _do_due(self) -> None:
        while self._discarded:
            self._engine.discard(self._discarded.popleft())
        while self._aborts:
            request_id, sample = self._aborts[0]
            if sample is None:
                self._pending.pop(request_id, None)
            self._engine.abort(request_id, sample)
            self._aborts.popleft()

    def _begin_anew(self) -> None:
        """In a forked process: who was inside is not there any more; what was under way ends."""
        error = RequestError(FORKED)
        self._lock = Lock()
        self._waiting.clear()
        self._process = os.getpid()
        if self._pending:
            self._engine.recover(error, keeps_waiting=False)
            self._pending = {
                request_id: [EndEvent(request_id, "error", error)] for request_id in self._pending
            }
        self._was_interrupted = False


def _nothing() -> None:
    """What is asked of the engine where there is nothing but what is due."""
