"""How an AsyncLLM has requests run, below its methods: prepared, submitted, read, analysed."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from foretell.analysis.probabilities import PromptProbe
from foretell.analysis.tasks import Analysis, Finished, Tasks, advance, jobs_of
from foretell.backends.base import BackendInfo
from foretell.config import GenerationConfig
from foretell.decoding.logprobs import TokenReport
from foretell.inputs.processor import InputProcessor, PreparedPrompts
from foretell.inputs.prompts import Prompt, Prompts
from foretell.loading.origin import ModelOrigin
from foretell.outputs import Chunk, GenerationOutput
from foretell.streaming.job import Job
from foretell.streaming.run import ordered_outputs
from foretell.worker.channel import Channel
from foretell.worker.coalescing import CoalescingQueue
from foretell.worker.preparing import prepare_beside
from foretell.worker.submissions import Generation, Observation, Submission
from foretell.worker.tally import note_outputs, note_prompt
from foretell.worker.thread import Worker

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

T = TypeVar("T")

NO_SETTINGS: Mapping[str, Any] = {}

ReadPrompts = Callable[[], Prompts]
"""Gives the prompts, in a helper thread."""


@dataclass(frozen=True)
class Opened:
    """What the event loops may use of the LLM: nothing of it changes."""

    worker: Worker
    info: BackendInfo
    tokenizer: Tokenizer
    recommended: dict[str, Any]
    inputs: InputProcessor
    origin: ModelOrigin

    def without_model(self) -> Opened:
        """The same once the thread has left, and with it the engine that checked requests.

        All requests pass for the worker to refuse, which knows why.
        """
        vocab_size = self.info.vocab_size
        inputs = InputProcessor(self.tokenizer, self.recommended, lambda _: None, vocab_size)
        return replace(self, inputs=inputs)


class Running(ABC):
    """What stands between the methods of an AsyncLLM and the worker that has the model."""

    @abstractmethod
    def _require_open(self) -> Opened:
        """What there is once the model is open; RequestError before."""

    def _settings(
        self, config: GenerationConfig | None, settings: Mapping[str, Any]
    ) -> GenerationConfig:
        return self._require_open().inputs.settings(config, settings)

    async def _generate(
        self,
        read: ReadPrompts,
        config: GenerationConfig,
        parse_special: bool,
        priority: int,
        default_length: int | None = None,
    ) -> GenerationOutput | list[GenerationOutput]:
        jobs = await self._prepare(read, config, parse_special, priority, default_length)
        outputs = await self._collect(jobs, jobs.num_prompts, priority)
        return outputs[0] if jobs.is_single else outputs

    async def _collect(
        self, jobs: Iterable[Job], num_jobs: int, priority: int
    ) -> list[GenerationOutput]:
        """The outputs of all jobs, in order."""
        last_chunks: list[Chunk] = []
        channel = self._channel(streams=False)
        with self._submit(jobs, num_jobs, priority, channel, streams=False):
            while (chunk := await channel.get()) is not None:
                last_chunks.append(chunk)
        outputs = ordered_outputs(last_chunks)
        note_outputs(outputs)
        return outputs

    async def _stream(
        self,
        read: ReadPrompts,
        config: GenerationConfig,
        parse_special: bool,
        priority: int,
        default_length: int | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        jobs = await self._prepare(read, config, parse_special, priority, default_length)
        channel = self._channel(streams=True)
        with self._submit(jobs, jobs.num_prompts, priority, channel, streams=True):
            while (chunk := await channel.get()) is not None:
                yield chunk

    async def _prepare(
        self,
        read: ReadPrompts,
        config: GenerationConfig,
        parse_special: bool,
        priority: int,
        default_length: int | None,
    ) -> PreparedPrompts:
        """Read and check prompts, beside the event loop and beside the engine's steps.

        A long list takes its time, and so does a chat template, which another process renders.
        """
        inputs = self._require_open().inputs

        def prepare() -> PreparedPrompts:
            template = inputs.template(config, default_length=default_length, priority=priority)
            return inputs.prepare(read(), template, parse_special=parse_special)

        return await prepare_beside(prepare, config)

    @asynccontextmanager
    async def _under_way(
        self, analysis: Analysis[T], channel: Channel[Any], priority: int, *, streams: bool
    ) -> AsyncGenerator[list[Job]]:
        """The jobs of the first tasks of an analysis, which the engine has once this is entered."""
        tasks = await asyncio.to_thread(advance, analysis, None)
        if isinstance(tasks, Finished):
            raise TypeError("an analysis that asks for nothing has no parts")
        jobs = await self._jobs(tasks, priority)
        with self._submit(jobs, len(jobs), priority, channel, streams=streams):
            await channel.admitted()
            yield jobs

    def _channel(self, *, streams: bool) -> Channel[Any]:
        """A way back from the worker; of a stream whose reader is slow it joins the chunks."""
        loop = asyncio.get_running_loop()
        if streams:
            return Channel(loop, CoalescingQueue(), self._require_open().worker.wake)
        return Channel(loop, deque())

    @contextmanager
    def _submit(
        self,
        jobs: Iterable[Job],
        num_jobs: int,
        priority: int,
        channel: Channel[Chunk],
        *,
        streams: bool,
        is_patient: bool = False,
    ) -> Iterator[None]:
        """Have jobs worked on, and their chunks put into the channel, until the block is left."""
        opened = self._require_open()
        submission = Generation(
            channel,
            iter(jobs),
            opened.tokenizer,
            streams=streams,
            is_list=num_jobs != 1,
            is_patient=is_patient,
            priority=priority,
        )
        with _placed(submission, opened.worker):
            yield

    async def _look(
        self,
        probe: PromptProbe[T],
        prompt: Prompt,
        config: GenerationConfig,
        parse_special: bool,
        priority: int,
    ) -> T:
        """Run a request that generates nothing; the view of what was seen."""
        opened = self._require_open()

        def prepare() -> Job:
            template = opened.inputs.template(config, **probe.extras, priority=priority)
            return opened.inputs.job(prompt, template, parse_special=parse_special)

        def view(job: Job, reports: list[TokenReport]) -> T:
            return probe.view(job, reports, opened.tokenizer)

        job = await prepare_beside(prepare, config)
        channel: Channel[T] = Channel(asyncio.get_running_loop(), deque())
        with _placed(Observation(channel, iter([job]), view), opened.worker):
            found = cast(T, await channel.get())
        note_prompt(len(job.request.prompt))
        return found

    async def _analyse(self, analysis: Analysis[T], priority: int) -> T:
        """Run what an analysis asks for; its view, which is made beside the event loop."""
        step = await asyncio.to_thread(advance, analysis, None)
        while not isinstance(step, Finished):
            outputs = await self._run(step, priority)
            step = await asyncio.to_thread(advance, analysis, outputs)
        return step.view

    async def _run(self, tasks: Tasks, priority: int) -> list[GenerationOutput]:
        jobs = await self._jobs(tasks, priority)
        return await self._collect(jobs, len(jobs), priority)

    async def _jobs(self, tasks: Tasks, priority: int) -> list[Job]:
        inputs = self._require_open().inputs
        configs = [inputs.settings(task.config, NO_SETTINGS) for task in tasks]
        return await asyncio.to_thread(jobs_of, tasks, configs, inputs, priority=priority)


@contextmanager
def _placed(submission: Submission, worker: Worker) -> Iterator[None]:
    """A submission is worked on as long as the block is not left.

    It is left also by a task that is cancelled, or destroyed before it has ended: nothing here may
    have to be awaited.
    """
    worker.submit(submission)
    try:
        yield
    finally:
        worker.abort(submission)
