"""What callers want of the worker: requests, and who hears of them.

Once it is submitted it is the worker thread's alone; only its channel is seen by two.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from foretell.decoding.logprobs import TokenReport
from foretell.engine.events import EndEvent, Event, PromptEvent, TokenEvent
from foretell.outputs import Chunk
from foretell.streaming.job import Job
from foretell.streaming.run import RequestStreamer, ends_early
from foretell.worker.channel import Channel

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

T = TypeVar("T")


class Submission(ABC):
    """Requests that are one to their caller.

    Attributes:
        channel: how the caller hears of them.
        jobs: gives each job when it is asked for, in the worker thread.
        is_list: whether its jobs can wait for each other; one that is alone is admitted or refused.
        is_patient: whether one that is alone waits outside the engine, too, until its turn comes.
        is_outside: whether its job is made, it is alone, and the engine has not got it yet.
        is_new: whether it is patient, with the engine, and has no token yet.
        priority: lists with a lower number are admitted earlier.
        requests: engine ids of those that are under way.
    """

    def __init__(
        self,
        channel: Channel[Any],
        jobs: Iterator[Job],
        *,
        is_list: bool = False,
        is_patient: bool = False,
        priority: int = 0,
    ) -> None:
        self.channel = channel
        self.jobs = jobs
        self.is_list = is_list
        self.is_patient = is_patient
        self.is_outside = self.is_new = False
        self.priority = priority
        self.requests: set[int] = set()

    @abstractmethod
    def added(self, request_id: int, job: Job) -> None:
        """Take note that a job is the engine's request `request_id`."""

    @abstractmethod
    def take(self, event: Event) -> int | None:
        """Make of an event what the caller wants to know; raises the error that it carries.

        Returns the sample that has ended here, though the engine would go on with it.
        """

    def closed(self) -> None:  # noqa: B027  most have nothing to do
        """Take note that no more events come."""


class Generation(Submission):
    """Continues prompts.

    Args:
        channel: takes their chunks.
        jobs: gives their jobs.
        tokenizer: the model's.
        streams: whether every chunk is wanted, or those only that end a sample.
        rest: `is_list`, `is_patient` and `priority`.
    """

    def __init__(
        self,
        channel: Channel[Chunk],
        jobs: Iterator[Job],
        tokenizer: Tokenizer,
        *,
        streams: bool,
        **rest: Any,
    ) -> None:
        super().__init__(channel, jobs, **rest)
        self._tokenizer = tokenizer
        self._streams = streams
        self._samples: dict[int, RequestStreamer] = {}

    def added(self, request_id: int, job: Job) -> None:
        """Get ready to write its samples down."""
        self.requests.add(request_id)
        self._samples[request_id] = RequestStreamer(job, self._tokenizer)

    def take(self, event: Event) -> int | None:
        """Put the chunk that an event makes into the channel."""
        samples = self._samples[event.request_id]
        if self.channel.begun is None and isinstance(event, TokenEvent):
            self.channel.begun = event.begun
        chunk = samples.take(event)
        if chunk is not None and (self._streams or chunk.output is not None):
            self.channel.put(chunk)
        if samples.have_ended:
            del self._samples[event.request_id]
            self.requests.remove(event.request_id)
        return event.sample if ends_early(event, chunk) else None

    def closed(self) -> None:
        """Let the spans of requests that are under way end."""
        for samples in self._samples.values():
            samples.close()


class Observation(Submission, Generic[T]):
    """Looks at one prompt and generates nothing.

    Args:
        channel: takes the result.
        jobs: gives the one job.
        result: the result, from the job and what was reported of its prompt.
    """

    def __init__(
        self,
        channel: Channel[T],
        jobs: Iterator[Job],
        result: Callable[[Job, list[TokenReport]], T],
    ) -> None:
        super().__init__(channel, jobs)
        self._result = result
        self._jobs: dict[int, Job] = {}
        self._reports: list[TokenReport] = []

    def added(self, request_id: int, job: Job) -> None:
        """Remember the job."""
        self.requests.add(request_id)
        self._jobs[request_id] = job

    def take(self, event: Event) -> int | None:
        """Collect reports; what comes after them is the end."""
        if isinstance(event, PromptEvent):
            self._reports += event.reports
        elif isinstance(event, EndEvent):
            if event.error is not None:
                raise event.error
            job = self._jobs.pop(event.request_id)
            self.requests.remove(event.request_id)
            self.channel.put(self._result(job, self._reports))
        return None
