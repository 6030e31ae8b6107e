"""When streams write: not too often, and all at the same moments.

A write costs the model some of its time, and so does each time that the event loop wakes up: the
thread that sleeps no more takes a core from the model's. So what comes soon after a write waits for
the next beat, which all streams share. A stream whose chunks come more slowly writes each at once.
"""

from __future__ import annotations

import asyncio
import math
from time import perf_counter

from foretell.server.lifecycle import Lifecycle

FEW_STREAMS = 8
"""So many requests may each write at the interval of the options."""

MAX_INTERVAL = 0.1
"""Seconds up to which the interval grows where there are more: people still see a text flow."""


class Beat:
    """Wakes all streams that wait for it at once.

    Where many requests run, the interval is longer: then all streams together write hardly more
    often than a few.

    Args:
        lifecycle: knows how many requests run.
        interval: seconds between two beats.
    """

    def __init__(self, lifecycle: Lifecycle, interval: float) -> None:
        self._lifecycle = lifecycle
        self._interval = interval
        self._waiting: list[asyncio.Future[None]] = []  # for the next beat
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def interval(self) -> float:
        """Seconds between two beats, as many as run now."""
        longer = self._interval * self._lifecycle.num_running / FEW_STREAMS
        return max(self._interval, min(longer, MAX_INTERVAL))

    async def next(self) -> None:
        """Wait for the next beat."""
        loop = asyncio.get_running_loop()
        if not self._waiting or self._loop is not loop:
            self._waiting, self._loop = [], loop
            loop.call_later(self.interval, self._strike, self._waiting)
        waiter = loop.create_future()
        self._waiting.append(waiter)
        await waiter

    def _strike(self, waiting: list[asyncio.Future[None]]) -> None:
        if waiting is self._waiting:
            self._waiting = []
        for waiter in waiting:
            if not waiter.done():  # a task that was cancelled waits no more
                waiter.set_result(None)


class Pace:
    """Keeps one stream from writing too often.

    Args:
        beat: that of all streams.
    """

    def __init__(self, beat: Beat) -> None:
        self._beat = beat
        self._last = -math.inf

    async def keep(self) -> None:
        """Wait, after a write, if the one before is not long past."""
        now = perf_counter()
        interval = self._beat.interval
        is_fast = now - self._last < 1.5 * interval
        self._last = now
        if is_fast:
            await self._beat.next()
