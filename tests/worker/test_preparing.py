"""Large forms are worked through one after the other, and hold up nobody else."""

from __future__ import annotations

import asyncio
import threading

from support.toy_async import run

from foretell.config import GenerationConfig
from foretell.worker.preparing import LARGE, prepare_beside

LARGE_FORM = GenerationConfig(choices=["a" * LARGE, "b"])
NUM_REQUESTS = 40  # more than there are helper threads


class Counted:
    """Waits until it may go on, and counts those that do so side by side."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.num_begun = 0
        self.num_running = self.most_running = 0
        self._lock = threading.Lock()

    def __call__(self) -> bool:
        with self._lock:
            self.num_begun += 1
            self.num_running += 1
            self.most_running = max(self.most_running, self.num_running)
        found = self.may_go_on.wait(60)
        with self._lock:
            self.num_running -= 1
        return found


def counted_of(*, are_cancelled: bool) -> Counted:
    """What was counted, where many large forms are asked for, and then something else."""
    counted = Counted()

    async def main() -> None:
        tasks = [
            asyncio.create_task(prepare_beside(counted, LARGE_FORM)) for _ in range(NUM_REQUESTS)
        ]
        while not counted.num_begun:
            await asyncio.sleep(0.001)
        assert await prepare_beside(lambda: "at once", GenerationConfig(regex="a+")) == "at once"
        if are_cancelled:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        counted.may_go_on.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main)
    return counted


def test_large_forms_take_turns_and_others_pass_them() -> None:
    counted = counted_of(are_cancelled=False)
    assert (counted.num_begun, counted.most_running) == (NUM_REQUESTS, 1)


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    assert counted_of(are_cancelled=True).num_begun < NUM_REQUESTS
