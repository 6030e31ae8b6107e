"""Parts that other processes are at: whoever has done the rest waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable

from foretell.scale.job import Job

INTERVAL = 0.5  # seconds between two looks


def finish(
    job: Job, make: Callable[[], object], tell: Callable[[int], object] = lambda num_parts: None
) -> None:
    """Make the parts of a shard that are missing, until none is.

    Args:
        job: what is to be done.
        make: makes the parts that nobody is at. It is called again if somebody else ends, or is
            killed, before theirs are done.
        tell: called with the number of parts that others are at, before it is waited for them.
    """
    while next(job.missing(), None) is not None:
        make()
        _wait_for_others(job, tell)
    job.parts.sync()


def _wait_for_others(job: Job, tell: Callable[[int], object]) -> None:
    """Wait until no part is missing, or one that nobody is at."""
    is_told = False
    while held := _num_held(job):
        if not is_told:
            tell(held)
            is_told = True
        time.sleep(INTERVAL)


def _num_held(job: Job) -> int:
    """Parts that are missing and that others are at; 0 if nobody is at one of them."""
    count = 0
    for part in job.missing():
        with job.parts.claim(part) as is_free:
            if is_free:
                return 0
        count += 1
    return count
