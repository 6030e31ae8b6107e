"""A job on a Ray cluster: workers are sent the rows of parts, and this process writes the answers.

Only this process needs the input and the job's folder. A worker has at most two parts at a time,
so that what is sent and not yet written stays small however many parts there are.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from foretell.errors import ConfigError
from foretell.scale.job import Job
from foretell.scale.ray.cluster import Cluster, threads_each
from foretell.scale.ray.model import Opening
from foretell.scale.ray.worker import Place, TransientError, Worker, without_places
from foretell.scale.workers import MAX_DEATHS, WorkerError
from foretell.utils.quoting import one_line

IN_FLIGHT = 2
"""Parts that a worker has at a time: while the rows of one end, those of the next begin."""

INTERVAL = 0.5  # seconds between two looks at what is done
PATIENCE = 300.0
"""Seconds that a cluster which is busy, or grows, has for the first worker's place."""


@dataclass
class _Hired:
    """A worker, and what it is at.

    Attributes:
        actor: of Ray's.
        place: where it is; None until Ray has found one.
        is_open: whether it has its model.
        parts: that it was sent.
    """

    actor: Any
    place: Place | None = None
    is_open: bool = False
    parts: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Errand:
    """What a worker was asked: where it is, to open its model, or for a part; and when."""

    worker: _Hired
    kind: str
    part: int = -1
    asked: float = field(default_factory=time.perf_counter)


def run_on_ray(
    job: Job,
    opening: Opening,
    cluster: Cluster,
    workers: int,
    watch: Callable[[], object],
    threads: int | None = None,
) -> int:
    """Make the parts that nobody else makes; how many were made.

    Where a worker dies, or its machine lacks means, another one is begun in its place, and its
    parts are made again. A worker that Ray finds no place for keeps nobody waiting while there are
    others.

    Args:
        job: what is to be done.
        opening: the model.
        cluster: has the workers.
        workers: how many of them.
        watch: called now and then.
        threads: CPUs that each reserves and computes with; None: as many as there are for each.

    Raises:
        ConfigError: no worker has found a place.
        WorkerError: one has failed, or too many have died.
    """
    cpus = cluster.cpus()
    each = threads_each(cpus, workers) if threads is None else threads
    if cluster.is_ours and max(cpus, default=0) < each:
        raise ConfigError(_no_place(cluster, each))
    there = opening.elsewhere(each)
    with _Crew(job, there, cluster, workers, each) as crew:
        return crew.run(watch)


class _Crew:
    """The workers of a job, as they come and go, and the parts that they are at."""

    def __init__(
        self, job: Job, opening: Opening, cluster: Cluster, count: int, threads: int
    ) -> None:
        self._job = job
        self._cluster = cluster
        self._ray = cluster.ray
        self._count = count
        self._threads = threads
        manifest = self._ray.put(without_places(job.manifest))
        kind = self._ray.remote(num_cpus=threads, max_restarts=0)(Worker)
        self._begin: Callable[[], Any] = lambda: kind.remote(opening, manifest)
        self._workers: list[_Hired] = []
        self._errands: dict[Any, _Errand] = {}
        self._missing: Iterator[int] = job.missing()
        self._again: deque[int] = deque()
        self._claims: dict[int, ExitStack] = {}
        self._deaths = self._made = 0
        self._is_exhausted = False

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        """End all workers: what they were at is left as it was."""
        for worker in self._workers:
            self._ray.kill(worker.actor)
        for held in self._claims.values():
            held.close()

    def run(self, watch: Callable[[], object]) -> int:
        """Make parts until none is left; how many were made."""
        begun = time.monotonic()
        for _ in range(self._count):
            self._hire()
        while not self._is_done():
            done, _ = self._ray.wait([*self._errands], num_returns=1, timeout=INTERVAL)
            for one in done:
                if one in self._errands:  # and not of a worker that another one told to be dead
                    self._take(one)
            self._check_placed(time.monotonic() - begun)
            watch()
        return self._made

    def _is_done(self) -> bool:
        return self._is_exhausted and not self._again and not self._claims

    def _hire(self) -> None:
        worker = _Hired(self._begin())
        self._workers.append(worker)
        self._ask(worker, worker.actor.where.remote(), "place")

    def _ask(self, worker: _Hired, answer: Any, kind: str, part: int = -1) -> None:
        self._errands[answer] = _Errand(worker, kind, part)

    def _take(self, answer: Any) -> None:
        """Take what a worker answers to an errand."""
        errand = self._errands.pop(answer)
        try:
            found = self._ray.get(answer)
        except self._ray.exceptions.RayActorError as error:
            self._replace(errand, error)
            return
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, TransientError):
                self._replace(errand, error.cause)
                return
            raise WorkerError(_told(error, errand.worker.place)) from None
        self._go_on(errand, found)

    def _go_on(self, errand: _Errand, found: Any) -> None:
        worker = errand.worker
        if errand.kind == "place":
            worker.place = found
            self._ask(worker, worker.actor.open.remote(), "open")
            return
        if errand.kind == "part":
            self._write(errand, found)
        worker.is_open = True
        self._feed(worker)

    def _write(self, errand: _Errand, lines: list[bytes]) -> None:
        self._job.parts.write(errand.part, lines, time.perf_counter() - errand.asked)
        errand.worker.parts.discard(errand.part)
        self._claims.pop(errand.part).close()
        self._made += 1

    def _feed(self, worker: _Hired) -> None:
        """Send a worker parts, as many as it may have."""
        while len(worker.parts) < IN_FLIGHT:
            part = self._next()
            if part is None:
                return
            worker.parts.add(part)
            answer = worker.actor.answer.remote([*self._job.lines(part)])
            self._ask(worker, answer, "part", part)

    def _next(self) -> int | None:
        """A part that is claimed for this process; None if there is none any more."""
        if self._again:
            return self._again.popleft()
        for part in self._missing:
            held = ExitStack()
            if held.enter_context(self._job.parts.claim(part)):
                self._claims[part] = held
                return part
            held.close()
        self._is_exhausted = True
        return None

    def _replace(self, errand: _Errand, error: Any) -> None:
        """Begin another worker in place of one that died, and let its parts be made again."""
        worker = errand.worker
        self._deaths += 1
        if self._deaths > MAX_DEATHS * self._count:
            reason = one_line(error)
            raise WorkerError(f"workers died {self._deaths} times, the last of this: {reason}")
        self._workers.remove(worker)
        self._ray.kill(worker.actor)  # it may be out of reach alone
        lost = [answer for answer, one in self._errands.items() if one.worker is worker]
        for answer in lost:
            del self._errands[answer]
        self._again.extend(sorted(worker.parts))
        self._hire()
        for other in self._workers:
            if other.is_open:
                self._feed(other)

    def _check_placed(self, waited: float) -> None:
        """ConfigError if no worker has found a place for long."""
        if waited > PATIENCE and all(worker.place is None for worker in self._workers):
            raise ConfigError(_no_place(self._cluster, self._threads))


def _told(error: Any, place: Place | None) -> str:
    """What a worker says of its end; of what is not foretell's own, the last line."""
    where = f" on {place.machine}" if place is not None else ""
    return f"a worker{where} has failed: {one_line(error.cause)}"


def _no_place(cluster: Cluster, threads: int) -> str:
    cpus = cluster.cpus()
    return (
        f"no worker found {threads} free CPUs on one machine: the cluster has {sum(cpus)} on "
        f"{len(cpus)} machines, of which {cluster.free_cpus()} are free; give fewer --threads"
    )
