"""How far a run has come, as a bar: finished texts of several, else tokens or steps of one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from foretell.utils.progress import ShowProgress, Unit, is_wanted, open_bar

if TYPE_CHECKING:
    from foretell.backends.base import BackendInfo
    from foretell.outputs import Chunk
    from foretell.streaming.job import Job

TITLES: dict[Unit, str] = {"steps": "Searching"}


class RunProgress:
    """Counts what a run has done, and shows it.

    Args:
        show: takes each count.
        unit: what is counted.
    """

    def __init__(self, show: ShowProgress, unit: Unit) -> None:
        self._show = show
        self._unit = unit
        self._started = perf_counter()
        self._counts: dict[Unit, int] = {"texts": 0, "tokens": 0, "steps": 0}

    def take(self, chunk: Chunk) -> None:
        """Count a chunk, which may be the last of its text."""
        self._counts["tokens"] += len(chunk.token_ids)
        self._counts["texts"] += chunk.output is not None
        if self._unit != "steps":
            speed = self._counts["tokens"] / (perf_counter() - self._started)
            self._show(self._counts[self._unit], f"{speed:.0f} tokens/s")

    def watch(self, job: Job) -> Job:
        """The job; if steps are counted, one that tells of each."""
        if self._unit != "steps":
            return job
        on_step = _both(job.request.on_step, self._take_step)
        return replace(job, request=replace(job.request, on_step=on_step))

    def _take_step(self, record: object) -> None:
        self._counts["steps"] += 1
        self._show(self._counts["steps"], "")


def _both(
    first: Callable[[Any], None] | None, second: Callable[[Any], None]
) -> Callable[[Any], None]:
    def on_step(record: Any) -> None:
        if first is not None:
            first(record)
        second(record)

    return on_step


@contextlib.contextmanager
def progress_of(
    jobs: Iterable[Job], num_texts: int, info: BackendInfo, asked: bool | None
) -> Iterator[tuple[Iterable[Job], Callable[[Chunk], None] | None]]:
    """A bar while some jobs run; gives the jobs to be run, and what takes their chunks.

    Args:
        jobs: what is to be run.
        num_texts: how many texts they make.
        info: what runs them.
        asked: whether the user asked for a bar; None shows one in a notebook, after a while.
    """
    if not is_wanted(asked):
        yield jobs, None
        return
    unit: Unit = "texts"
    total = num_texts
    if num_texts == 1:
        (job,) = jobs
        unit = "steps" if job.request.config.num_beams > 1 else "tokens"
        jobs, total = [job], job.request.max_length(info) - len(job.request.prompt)
    with open_bar(TITLES.get(unit, "Generating"), total, unit, asked=asked) as show:
        progress = RunProgress(show, unit)
        yield map(progress.watch, jobs), progress.take
