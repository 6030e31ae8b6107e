"""Jobs under way: fed to the engine as it has room, their events read as chunks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, TypeGuard

from foretell.decoding.logprobs import TokenReport
from foretell.engine.client import EngineClient
from foretell.engine.events import EndEvent, Event, PromptEvent, TokenEvent
from foretell.outputs import Chunk, GenerationOutput
from foretell.streaming.job import Job, with_prompt_index
from foretell.streaming.prompt import PromptStreamer
from foretell.streaming.sample import SampleStreamer
from foretell.telemetry import RequestSpan
from foretell.text.stops import SearchBudget

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

MAX_UNSTARTED = 64
"""Requests that are with the engine and have no token yet: more would only take up memory."""


class RequestStreamer:
    """Writes down all samples of one job, each with a streamer of its own.

    Attributes:
        have_ended: whether every sample has its output.

    Raises:
        ConfigError: a stop is empty, or its regular expression is malformed.
    """

    def __init__(self, job: Job, tokenizer: Tokenizer) -> None:
        self._listed_index = job.listed_index
        number = job.request.num_samples
        self._prompt = PromptStreamer(job, tokenizer)
        budget = SearchBudget()
        self._streamers = [
            SampleStreamer(job, tokenizer, index, self._prompt, budget=budget)
            for index in range(number)
        ]
        self._num_open = number
        self.have_ended = False
        self._span = None
        if job.caller is not None:
            self._span = job.caller.begin(job.config, len(job.request.prompt))

    def take(self, event: Event) -> Chunk | None:
        """The chunk that an event makes; None if there is none to show, or its sample has ended.

        If the event is the end by an error, that error is raised, and names the prompt if it is one
        of a list.
        """
        if isinstance(event, PromptEvent):
            self._prompt.take(event)
            return None
        if isinstance(event, EndEvent) and event.error is not None:
            error = with_prompt_index(event.error, self._listed_index)
            self.close(error)
            raise error
        chunk = self._streamers[event.sample].take(event)
        if chunk is not None and chunk.output is not None:
            self._num_open -= 1
            self.have_ended = self._num_open == 0
            if self._span is not None:
                self._note(chunk.output, self._span)
        return chunk

    def close(self, error: BaseException | None = None) -> None:
        """Take note that no more events come: of the error, or since nobody wants them."""
        if self._span is not None:
            self._span.end(error)

    def _note(self, output: GenerationOutput, span: RequestSpan) -> None:
        """Tell the request's span of a sample that has ended, and that all have."""
        span.take(output)
        if self.have_ended:
            span.end()


def ends_early(event: Event, chunk: Chunk | None) -> TypeGuard[TokenEvent]:
    """Whether the text has ended a sample that the engine would go on with."""
    has_ended = chunk is not None and chunk.output is not None
    return has_ended and isinstance(event, TokenEvent) and event.stop_reason is None


def stream_jobs(
    client: EngineClient, jobs: Iterable[Job], tokenizer: Tokenizer
) -> Generator[Chunk, None, None]:
    """Run jobs, as many at once as the engine takes; their chunks as they come.

    The jobs are taken one by one, as the engine has room for them. The first error ends all; so
    does closing the generator.
    """
    return _JobStream(client, jobs, tokenizer).run()


class _JobStream:
    """One run of `stream_jobs`."""

    def __init__(self, client: EngineClient, jobs: Iterable[Job], tokenizer: Tokenizer) -> None:
        self._client = client
        self._jobs = iter(jobs)
        self._next: Job | None = None  # taken, but not with the engine yet
        self._tokenizer = tokenizer
        self._ids: set[int] = set()  # requests to be released
        self._open: dict[int, RequestStreamer] = {}
        self._unstarted: set[int] = set()

    def run(self) -> Generator[Chunk, None, None]:
        try:
            while self._feed():
                for event in self._client.poll(self._open):
                    chunk = self._take(event)
                    if chunk is not None:
                        yield chunk
        finally:
            for request_id in self._ids:
                self._client.release(request_id)
            for samples in self._open.values():
                samples.close()

    def _feed(self) -> bool:
        """Give the engine the next jobs; whether any is under way."""
        while len(self._unstarted) < MAX_UNSTARTED:
            self._next = self._next or next(self._jobs, None)
            if self._next is None:
                break
            samples = RequestStreamer(self._next, self._tokenizer)
            add = self._client.try_submit if self._open else self._client.submit
            request_id = add(self._next.request, self._ids)
            if request_id is None:
                break
            self._open[request_id] = samples
            self._unstarted.add(request_id)
            self._next = None
        return bool(self._open)

    def _take(self, event: Event) -> Chunk | None:
        request_id = event.request_id
        self._unstarted.discard(request_id)
        if request_id not in self._open:
            self._client.discard(event)  # its text has ended before the engine's tokens
            return None
        samples = self._open[request_id]
        chunk = samples.take(event)
        if chunk is None:
            self._client.discard(event)
        if chunk is None or chunk.output is None:
            return chunk
        if samples.have_ended:
            self._client.release(request_id)
            self._ids.discard(request_id)
            del self._open[request_id]
        elif ends_early(event, chunk):
            self._client.abort_sample(request_id, event.sample)
        return chunk


def run_prompt_only(client: EngineClient, job: Job) -> list[TokenReport]:
    """Run a job that generates nothing; what is reported of its prompt."""
    ids: set[int] = set()
    reports: list[TokenReport] = []
    try:
        client.submit(job.request, ids)
        while True:
            for event in client.poll(ids):
                if isinstance(event, PromptEvent):
                    reports += event.reports
                elif isinstance(event, EndEvent) and event.error is not None:
                    raise event.error
                else:
                    return reports
    finally:
        for request_id in ids:
            client.release(request_id)


def collect_outputs(
    chunks: Generator[Chunk, None, None], show: Callable[[Chunk], None] | None = None
) -> list[GenerationOutput]:
    """Read chunks to their end; the outputs in order, prompt after prompt.

    Args:
        chunks: those of some jobs, in any order.
        show: takes each chunk, if given.
    """
    last_chunks: list[Chunk] = []
    with closing(chunks):
        for chunk in chunks:
            if show is not None:
                show(chunk)
            if chunk.output is not None:
                last_chunks.append(chunk)
    return ordered_outputs(last_chunks)


def ordered_outputs(last_chunks: Iterable[Chunk]) -> list[GenerationOutput]:
    """The outputs that samples' last chunks bring: prompt after prompt, of each its samples."""
    ordered = sorted(last_chunks, key=lambda chunk: (chunk.prompt_index, chunk.index))
    return [chunk.require_output() for chunk in ordered]
