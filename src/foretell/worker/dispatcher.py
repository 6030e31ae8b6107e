"""Submissions and the engine that works on them, without a thread.

    admit → step → events → submissions → channels

What goes wrong ends the submission that it concerns, and no other.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from foretell.engine.engine import queue_full
from foretell.engine.events import EndEvent, Event, TokenEvent
from foretell.errors import ForetellError
from foretell.streaming.job import Job
from foretell.streaming.run import MAX_UNSTARTED
from foretell.worker.channel import Channel, wake
from foretell.worker.sharing import Runner
from foretell.worker.submissions import Submission

NUM_AHEAD = 32  # prompts of lists that wait in the engine; the others wait outside, unprepared


class Dispatcher:
    """The submissions that are under way.

    A prompt that is alone goes to the engine at once, and is refused with QueueFullError where its
    queue was full after the last step already; so is a list, and also where as many lists as may
    wait have prompts outside. A list's prompts are prepared and go to the engine as the queue gets
    empty, so that they leave room for others, and not while their reader lags. A prompt that is
    alone and patient waits outside likewise, also while many have no token yet: each of these costs
    all steps until then.

    Args:
        engine: runs the requests; nobody else may step it, unless by way of its client.
        max_waiting: how many requests may wait in it, and how many lists outside; None for no
            bound.
    """

    def __init__(self, engine: Runner, max_waiting: int | None = None) -> None:
        self._engine = engine
        self._max_waiting = max_waiting
        self._open: dict[Submission, None] = {}
        self._loops: Counter[AbstractEventLoop] = Counter()  # of their readers
        self._by_request: dict[int, Submission] = {}
        self._singles: deque[tuple[Submission, Job]] = deque()  # alone, and not in the engine yet
        self._patient: deque[tuple[Submission, Job]] = deque()  # likewise, until their turn comes
        self._num_new = 0  # of those that were patient, and have no token yet
        self._lists: deque[Submission] = deque()  # those that have jobs to be made
        self._changed: dict[Channel[Any], None] = {}  # those whose readers are to be woken
        self._ended: set[tuple[int, int]] = set()  # samples that their texts have ended in a step
        self._cause: BaseException | None = None  # what the last step raised

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to do without another submission."""
        waiting = self._singles or self._patient or self._ready_lists()
        return bool(self._engine.has_work or waiting or self._changed)

    def accept(self, submission: Submission) -> None:
        """Take on a submission."""
        self._open[submission] = None
        self._loops[submission.channel.loop] += 1
        if submission.is_list:
            self._accept_list(submission)
            return
        job = self._next_job(submission)
        submission.is_outside = job is not None
        if job is not None:
            (self._patient if submission.is_patient else self._singles).append((submission, job))

    def _accept_list(self, submission: Submission) -> None:
        most = self._max_waiting
        if most is not None and max(len(self._lists), self._engine.stats().waiting) >= most:
            self._end(submission, queue_full(most))
            return
        self._lists.append(submission)
        submission.channel.note_admitted()
        self._changed[submission.channel] = None

    def close(self, submission: Submission) -> None:
        """Let go of a submission and free what it holds; nothing happens if it has ended."""
        if submission not in self._open:
            return
        del self._open[submission]
        loop = submission.channel.loop
        self._loops[loop] -= 1
        if not self._loops[loop]:
            del self._loops[loop]
        self._begin(submission)
        for request_id in submission.requests:
            self._engine.abort(request_id)
            self._by_request.pop(request_id, None)
        submission.closed()
        if submission.is_outside:
            self._singles = deque(pair for pair in self._singles if pair[0] is not submission)
            self._patient = deque(pair for pair in self._patient if pair[0] is not submission)
        self._lists = deque(one for one in self._lists if one is not submission)

    def close_all(self, error: BaseException) -> None:
        """End every submission with an error."""
        for submission in list(self._open):
            self._end(submission, own_error(error))
        self._wake_readers()

    def work(self) -> None:
        """Admit what there is room for, run a step, and wake those who have something to read."""
        if any(loop.is_closed() for loop in self._loops):
            for submission in [one for one in self._open if one.channel.is_abandoned]:
                self.close(submission)
        self._admit_singles()
        self._admit_patient()
        self._admit_lists()
        self._wake_readers()  # who waits to be admitted need not wait for the step
        if self._engine.has_work:
            self._step()
        self._wake_readers()

    def _admit_singles(self) -> None:
        """As many as may wait; where none may, the engine refuses them all."""
        count = len(self._singles)
        if count and self._max_waiting is not None:
            room = self._max_waiting - self._engine.stats().waiting
            count = min(count, room) if room > 0 else count
        for _ in range(count):
            self._add(*self._singles.popleft())

    def _room(self) -> int:
        """How many more may wait in the engine of those that can wait outside."""
        most = NUM_AHEAD if self._max_waiting is None else max(1, self._max_waiting // 2)
        return min(NUM_AHEAD, most) - self._engine.stats().waiting

    def _admit_patient(self) -> None:
        """In their order, as long as few wait."""
        if not self._patient:
            return
        room = min(self._room(), MAX_UNSTARTED - self._num_new)
        for _ in range(min(len(self._patient), room)):
            submission, job = self._patient.popleft()
            submission.is_new = True
            self._num_new += 1
            self._add(submission, job)

    def _begin(self, submission: Submission) -> None:
        """Count it no more among those that have no token yet."""
        self._num_new -= submission.is_new
        submission.is_new = False

    def _admit_lists(self) -> None:
        """One prompt of each list in turn, as long as few wait."""
        if not self._ready_lists():
            return
        room = self._room()
        while room > 0 and (lists := self._ready_lists()):
            submission = min(lists, key=lambda one: one.priority)
            self._lists.remove(submission)
            job = self._next_job(submission)
            if job is not None:
                self._lists.append(submission)
                self._add(submission, job)
                room -= 1

    def _ready_lists(self) -> list[Submission]:
        return [submission for submission in self._lists if not submission.channel.lags]

    def _next_job(self, submission: Submission) -> Job | None:
        """Make a submission's next job; None if it has no more, or it failed."""
        job: Job | None = None
        with self._failing(submission):
            job = next(submission.jobs, None)
            if job is None and not submission.requests:
                self._end(submission)
        return job

    def _add(self, submission: Submission, job: Job) -> None:
        submission.is_outside = False
        with self._failing(submission):
            request_id = self._engine.add(job.request, is_checked=True)
            self._by_request[request_id] = submission
            submission.added(request_id, job)
            submission.channel.note_admitted()
            self._changed[submission.channel] = None

    def _step(self) -> None:
        try:
            events = self._engine.step()
        except BaseException as error:  # noqa: BLE001  the next step ends those that were in it
            self._cause = error
            return
        for event in events:
            submission = self._by_request.get(event.request_id)
            if submission is None or (self._ended and self._has_ended(event)):
                self._engine.discard(event)
                continue
            try:  # without `_failing`, which would cost each token two calls more
                self._dispatch(event, submission)
            except BaseException as error:  # noqa: BLE001
                self._end(submission, own_error(error))
        self._cause = None
        self._ended.clear()

    def _has_ended(self, event: Event) -> bool:
        """Whether its sample's text has ended with an event before it."""
        return isinstance(event, TokenEvent) and (event.request_id, event.sample) in self._ended

    def _dispatch(self, event: Event, submission: Submission) -> None:
        """Let a submission take an event of its own."""
        if isinstance(event, EndEvent) and event.error and self._cause not in (None, event.error):
            event.error.__cause__ = self._cause
        self._changed[submission.channel] = None
        if submission.is_new:
            self._begin(submission)
        ended_sample = submission.take(event)
        if ended_sample is not None:
            self._engine.abort(event.request_id, ended_sample)
            self._ended.add((event.request_id, ended_sample))
        if event.request_id not in submission.requests:
            del self._by_request[event.request_id]
            self._engine.abort(event.request_id)  # which has ended: whoever keeps it may forget it
            if not submission.requests and submission not in self._lists:
                self._end(submission)

    @contextmanager
    def _failing(self, submission: Submission) -> Iterator[None]:
        """Whatever is raised here, by a function of the user's perhaps, is the submission's end."""
        try:
            yield
        except BaseException as error:  # noqa: BLE001
            self._end(submission, own_error(error))

    def _end(self, submission: Submission, error: BaseException | None = None) -> None:
        self.close(submission)
        submission.channel.end(error)
        self._changed[submission.channel] = None

    def _wake_readers(self) -> None:
        wake(self._changed)
        self._changed.clear()


def own_error(error: BaseException) -> BaseException:
    """The same error for one caller; what one request's own function has raised is as it is."""
    return error.again() if isinstance(error, ForetellError) else error
