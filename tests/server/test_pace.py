"""Streams write at the same moments, and not too often."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from support.toy_async import run

from foretell.server.pace import Beat, Pace


def beat_of(num_running: int, interval: float = 0.02) -> Beat:
    lifecycle: Any = SimpleNamespace(num_running=num_running)
    return Beat(lifecycle, interval)


@pytest.mark.parametrize(
    ("num_running", "interval", "expected"),
    [
        (1, 0.02, 0.02),
        (8, 0.02, 0.02),
        (16, 0.02, 0.04),
        (40, 0.02, 0.1),
        (1000, 0.02, 0.1),
        (1000, 0.5, 0.5),
        (1000, 0.0, 0.0),
    ],
)
def test_the_interval_grows_with_the_crowd_up_to_a_bound(num_running, interval, expected):
    assert beat_of(num_running, interval).interval == pytest.approx(expected)


def test_all_who_wait_are_woken_at_once_by_one_timer(monkeypatch):
    async def main() -> None:
        loop, timers = asyncio.get_running_loop(), []
        call_later = loop.call_later

        def counted(*arguments: Any) -> asyncio.TimerHandle:
            timers.append(arguments)
            return call_later(*arguments)

        monkeypatch.setattr(loop, "call_later", counted)
        beat = beat_of(1)
        woken: list[int] = []

        async def wait(number: int) -> None:
            await beat.next()
            woken.append(number)

        await asyncio.gather(*map(wait, range(5)))
        assert woken == [0, 1, 2, 3, 4]
        assert len(timers) == 1
        await beat.next()
        assert len(timers) == 2

    run(main)


def test_who_leaves_while_waiting_takes_nobody_along():
    async def main() -> None:
        beat = beat_of(1)
        one, other = (asyncio.create_task(beat.next()) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        await other
        assert one.cancelled()

    run(main)


def test_a_beat_of_a_loop_that_has_ended_is_not_waited_for():
    beat = beat_of(1, interval=3600)

    async def leave() -> None:
        waiting = asyncio.create_task(beat.next())
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(leave())
    beat._interval = 0.001

    async def main() -> None:
        await beat.next()

    run(main)


def test_a_stream_waits_only_after_writes_that_follow_each_other_soon():
    async def main() -> None:
        beat, waits = beat_of(1, interval=3600), []

        async def note() -> None:
            waits.append(1)

        beat.next = note
        pace = Pace(beat)
        await pace.keep()
        assert waits == []
        await pace.keep()
        assert waits == [1]

    run(main)
