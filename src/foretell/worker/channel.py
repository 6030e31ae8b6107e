"""The way back from the worker thread to one task of an event loop.

The worker puts and never waits; the task waits and never blocks its loop. The worker wakes all
tasks that wait once a step, one call for each loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")

LAG = 1024  # items unread from which on a reader lags; more than come of one step


class Store(Protocol[T]):
    """A queue: a `deque`, or a `CoalescingQueue` where memory needs a bound."""

    def __len__(self) -> int: ...

    def append(self, item: T, /) -> None:
        """Add at the end."""
        ...

    def popleft(self) -> T:
        """Take from the front."""
        ...


class Channel(Generic[T]):
    """What the worker has for one reader: items, and then the end or an error.

    Args:
        loop: the reader's event loop.
        store: keeps the items until they are read.
        caught_up: is called when a reader that lagged does so no more; None if it may lag.

    Attributes:
        begun: when the engine first ran what the reader waits for, by `perf_counter`; it is known
            with the first item.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        store: Store[T],
        caught_up: Callable[[], None] | None = None,
    ) -> None:
        self._loop = loop
        self._store = store
        self._caught_up = caught_up
        self._lock = Lock()
        self._waiter: asyncio.Future[None] | None = None
        self.begun: float | None = None
        self._is_admitted = self._has_ended = False
        self._wants_admission = False  # the reader waits for no more than that
        self._error: BaseException | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The reader's event loop."""
        return self._loop

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody can read any more, because the reader's event loop is closed."""
        return self._loop.is_closed()

    @property
    def lags(self) -> bool:
        """Whether so much is unread that no new work should be begun for the reader."""
        return self._caught_up is not None and len(self._store) >= LAG

    def put(self, item: T) -> None:
        """Add an item; `wake` lets the reader know. The worker's side."""
        with self._lock:
            self._store.append(item)

    def note_admitted(self) -> None:
        """Say that the engine has taken the work; `wake` lets the reader know."""
        with self._lock:
            self._is_admitted = True

    def end(self, error: BaseException | None = None) -> None:
        """Say that no more comes, and raise `error` in the reader once it has read the rest."""
        with self._lock:
            self._has_ended, self._error = True, error

    async def admitted(self) -> None:
        """Wait until the engine has taken the work; raises what it was refused for."""
        while True:
            with self._lock:
                if self._is_admitted or len(self._store):
                    return
                if self._has_ended:
                    self._raise_error()
                    return
                self._wants_admission = True
                waiter = self._waiter = self._loop.create_future()
            await waiter

    async def get(self) -> T | None:
        """The next item; None after the last. The reader's side; raises what ended the channel."""
        if not len(self._store) and not await self._arrived():
            return None
        with self._lock:
            lagged, item = self.lags, self._store.popleft()
            has_caught_up = lagged and not self.lags
        if has_caught_up and self._caught_up is not None:
            self._caught_up()
        return item

    async def get_all(self) -> list[T]:
        """All items that are there, of which one is waited for; none after the last.

        The reader's side; raises what ended the channel.
        """
        if not len(self._store) and not await self._arrived():
            return []
        with self._lock:
            lagged = self.lags
            items = [self._store.popleft() for _ in range(len(self._store))]
        if lagged and self._caught_up is not None:
            self._caught_up()
        return items

    async def _arrived(self) -> bool:
        """Wait until there is an item; False if none comes any more."""
        while True:
            with self._lock:
                if len(self._store):
                    return True
                if self._has_ended:
                    self._raise_error()
                    return False
                waiter = self._waiter = self._loop.create_future()
            await waiter

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def take_waiter(self) -> asyncio.Future[None] | None:
        """What the reader waits for, if it does and there is something to read."""
        with self._lock:
            is_admitted = self._is_admitted and self._wants_admission
            if not (len(self._store) or self._has_ended or is_admitted):
                return None
            self._wants_admission = False
            waiter, self._waiter = self._waiter, None
            return waiter


def wake(channels: Iterable[Channel[Any]]) -> None:
    """Wake the readers that wait for what has come; a loop that is closed is passed over."""
    waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for channel in channels:
        waiter = channel.take_waiter()
        if waiter is not None:
            waiting.setdefault(waiter.get_loop(), []).append(waiter)
    for loop, waiters in waiting.items():
        with suppress(RuntimeError):  # closed
            loop.call_soon_threadsafe(_release, waiters)


def _release(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():  # a task that was cancelled waits no more
            waiter.set_result(None)
