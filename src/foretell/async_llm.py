"""AsyncLLM: LLM for asyncio.

prompts + settings → a submission → the worker thread → chunks, on the caller's event loop
"""

from __future__ import annotations

import asyncio
import inspect
import os
import weakref
from collections import deque
from collections.abc import (
    AsyncGenerator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Literal,
    NoReturn,
    ParamSpec,
    Self,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from foretell.analysis.probabilities import PromptProbe, next_probe, score_probe
from foretell.analysis.tasks import Analysis, Finished, Tasks, advance, jobs_of
from foretell.backends.base import Backend, BackendInfo
from foretell.config import GenerationConfig
from foretell.config.defaults import (
    ALTERNATIVES_TOKENS,
    CHAT_TOKENS,
    NUM_ALTERNATIVES,
    NUM_NEXT,
    NUM_SEEDS,
)
from foretell.config.foreign_names import refuse_unknown
from foretell.config.typed import GenerationSettings, SampleSettings
from foretell.decoding.logprobs import TokenReport
from foretell.engine.stats import EngineStats
from foretell.errors import RequestError
from foretell.hub import DEFAULT_MODEL
from foretell.inputs.chat import chat_request
from foretell.inputs.chat_settings import ChatSampleSettings, ChatSettings
from foretell.inputs.processor import InputProcessor, PreparedPrompts
from foretell.inputs.prompts import Prompt, Prompts
from foretell.llm import LLM, NOT_PICKLED, model_repr
from foretell.outputs import Chunk, GenerationOutput, NextDistribution, Score
from foretell.streaming.job import Job
from foretell.streaming.run import ordered_outputs
from foretell.worker.channel import Channel, wake
from foretell.worker.coalescing import CoalescingQueue
from foretell.worker.preparing import prepare_beside
from foretell.worker.submissions import Generation, Observation, Submission
from foretell.worker.submitted import Submitted, SubmittedView
from foretell.worker.tally import note_outputs, note_prompt
from foretell.worker.thread import Worker

if TYPE_CHECKING:
    from foretell.analysis.alternatives import Alternatives
    from foretell.analysis.beam_tree import BeamTree, GrownStep
    from foretell.analysis.compare import Comparison, RunChunk
    from foretell.analysis.explain import Explanation
    from foretell.text.tokenizer import Tokenizer

P = ParamSpec("P")
T = TypeVar("T")
P_co = TypeVar("P_co", covariant=True)
V_co = TypeVar("V_co", covariant=True)

NO_SETTINGS: Mapping[str, Any] = {}

ReadPrompts = Callable[[], Prompts]
"""Gives the prompts, in a helper thread."""

OPTION_NAMES = tuple(inspect.signature(LLM).parameters)
"""What `LLM` takes."""

NOT_OPEN = (
    "this AsyncLLM is not open: use it in `async with AsyncLLM(...) as llm:`, or await its open()"
)


@dataclass(frozen=True)
class _Opened:
    """What the event loops may use of the LLM: nothing of it changes."""

    worker: Worker
    info: BackendInfo
    tokenizer: Tokenizer
    recommended: dict[str, Any]
    inputs: InputProcessor

    def without_model(self) -> _Opened:
        """The same once the thread has left, and with it the engine that checked requests.

        All requests pass for the worker to refuse, which knows why.
        """
        vocab_size = self.info.vocab_size
        inputs = InputProcessor(self.tokenizer, self.recommended, lambda _: None, vocab_size)
        return replace(self, inputs=inputs)


def _typed_as(
    other: Callable[Concatenate[Any, P], None],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """A decorator that changes nothing: type checkers take the arguments for those of `other`."""
    return lambda method: method


class AsyncLLM:
    """An `LLM` for asyncio: the requests of all tasks run in the same steps of one engine.

        async with AsyncLLM() as llm:
            output = await llm.generate("The cat sat on the", max_new_tokens=20)
            async for chunk in llm.stream("Once upon a time", max_new_tokens=20):
                print(chunk.text, end="")

    A program without such a block, as a server that has hooks for its start and its end, writes
    `llm = await AsyncLLM().open()`, and `await llm.close()`.

    The model is loaded and run by a thread of its own; prompts and chat templates are read by
    others: the event loop is never held up. Functions among the settings (`stopping_criteria`,
    processors) are called in the model's thread.

    A request ends, and its memory is free, before the step after its reader has gone: left the
    loop, or been cancelled. For a reader that is slow, what waits becomes longer chunks, not more
    of them, and of a list no more prompts are begun; nobody else has to wait. Several event loops
    may share an AsyncLLM, also at a time. Results are those of `LLM`, bit by bit.

    Args:
        model: as for `LLM`.
        options: the other arguments of `LLM`. With `max_waiting`, a prompt is refused while that
            many wait, and a list also while that many lists do; the prompts of a list wait outside,
            and half of these places are left free.

    Raises:
        UnknownNameError: an argument that `LLM` does not have.
    """

    @_typed_as(LLM.__init__)
    def __init__(
        self, model: str | os.PathLike[str] | Backend = DEFAULT_MODEL, **options: Any
    ) -> None:
        refuse_unknown(options, OPTION_NAMES, "argument")
        self._load = _once(partial(LLM, model, **options))
        self._max_waiting: int | None = options.get("max_waiting")
        self._name = os.fspath(model) if isinstance(model, (str, os.PathLike)) else None
        self._worker: Worker | None = None
        self._opened: _Opened | None = None

    @property
    def model_name(self) -> str | None:
        """The name or path that was given as the model; None where that was an object."""
        return self._name

    @property
    def info(self) -> BackendInfo:
        """What runs the model, and what it can hold."""
        return self._require_open().info

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer in use."""
        return self._require_open().tokenizer

    @property
    def recommended(self) -> dict[str, Any]:
        """The settings that the model's own files recommend; `preset="model"` takes them."""
        return self._require_open().recommended

    @property
    def failure(self) -> BaseException | None:
        """What ended the model's thread too early; None while it works, or once it was closed.

        Every request is refused from then on: another AsyncLLM is needed.
        """
        return None if self._worker is None else self._worker.failure

    @overload
    async def generate(  # type: ignore[overload-overlap]
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        num_return_sequences: Literal[1] | None,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[SampleSettings],
    ) -> GenerationOutput: ...

    @overload
    async def generate(
        self,
        prompt: Prompts,
        config: GenerationConfig | None = None,
        *,
        num_return_sequences: int | None,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[SampleSettings],
    ) -> list[GenerationOutput]: ...

    @overload
    async def generate(  # type: ignore[overload-overlap]
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[SampleSettings],
    ) -> GenerationOutput: ...

    @overload
    async def generate(
        self,
        prompt: Sequence[Prompt],
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[SampleSettings],
    ) -> list[GenerationOutput]: ...

    @overload
    async def generate(
        self,
        prompt: Prompts,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> GenerationOutput | list[GenerationOutput]: ...

    async def generate(
        self,
        prompt: Any,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> GenerationOutput | list[GenerationOutput]:
        """Continue a prompt, or a list of prompts; arguments and results are those of `LLM`.

        Args:
            prompt: text, or token ids; or a list of such.
            config: settings, as a whole.
            parse_special: whether special tokens written out in the text count as such.
            priority: requests with a lower number run earlier; among equals, those that came first.
            settings: fields of `GenerationConfig`, which win over `config`.

        Raises:
            ConfigError: a setting is unknown, out of range or contradicts another.
            RequestError: a prompt is empty or cannot fit, or the AsyncLLM was closed meanwhile.
            QueueFullError: `max_waiting` requests wait already.
        """
        complete = self._settings(config, settings)
        return await self._generate(lambda: prompt, complete, parse_special, priority)

    def stream(
        self,
        prompt: Prompts,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> AsyncGenerator[Chunk, None]:
        """Continue a prompt, or several, chunk by chunk; arguments and errors as in `generate`.

        The texts of the chunks, joined, equal the output's text; the last chunk has the output.
        With several prompts or samples `prompt_index` and `index` tell their chunks apart. The
        request begins with the first chunk that is asked for.
        """
        complete = self._settings(config, settings)
        return self._stream(lambda: prompt, complete, parse_special, priority)

    @overload
    async def chat(  # type: ignore[overload-overlap]
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        *,
        num_return_sequences: Literal[1] | None,
        priority: int = 0,
        **settings: Unpack[ChatSampleSettings],
    ) -> GenerationOutput: ...

    @overload
    async def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        *,
        num_return_sequences: int,
        priority: int = 0,
        **settings: Unpack[ChatSampleSettings],
    ) -> list[GenerationOutput]: ...

    @overload
    async def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        *,
        priority: int = 0,
        **settings: Unpack[ChatSampleSettings],
    ) -> GenerationOutput: ...

    @overload
    async def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        *,
        priority: int = 0,
        **settings: Unpack[ChatSettings],
    ) -> GenerationOutput | list[GenerationOutput]: ...

    async def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        *,
        priority: int = 0,
        **settings: Unpack[ChatSettings],
    ) -> GenerationOutput | list[GenerationOutput]:
        """Answer a conversation: `[{"role": "user", "content": "Hello"}, ...]`; see `LLM.chat`."""
        chat = chat_request(self.tokenizer, messages, settings)
        complete = self._settings(config, chat.settings)
        found = await self._generate(chat.read, complete, False, priority, CHAT_TOKENS)
        return [*map(chat.parse, found)] if isinstance(found, list) else chat.parse(found)

    def stream_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        *,
        priority: int = 0,
        **settings: Unpack[ChatSettings],
    ) -> AsyncGenerator[Chunk, None]:
        """As `chat`, a chunk a token."""
        chat = chat_request(self.tokenizer, messages, settings)
        complete = self._settings(config, chat.settings)
        chunks = self._stream(chat.read, complete, False, priority, CHAT_TOKENS)
        return chunks if chat.parser.is_plain else chat.parse_async_stream(chunks)

    async def next(
        self,
        prompt: Prompt,
        top: int = NUM_NEXT,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> NextDistribution:
        """P(x_t | x_<t): how probable each next token is; see `LLM.next`."""
        probe = next_probe(top, settings)
        complete = self._settings(config, settings)
        return await self._look(probe, prompt, complete, parse_special, priority)

    async def score(
        self, text: Prompt, top: int = 0, *, parse_special: bool = False, priority: int = 0
    ) -> Score:
        """Log-probability of each token of a text, and perplexity; see `LLM.score`."""
        probe, complete = score_probe(top), self._settings(None, NO_SETTINGS)
        return await self._look(probe, text, complete, parse_special, priority)

    async def explain(
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> Explanation:
        """Continue a prompt, and explain of every token why it was chosen; see `LLM.explain`."""
        from foretell.analysis.explain import explain

        analysis = explain(prompt, config, parse_special=parse_special, **settings)
        return await self._analyse(analysis, priority)

    async def beams(
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> BeamTree:
        """Continue a prompt by beam search, and show the tree; see `LLM.beams`."""
        from foretell.analysis.beam_tree import beams

        analysis = beams(self.tokenizer, prompt, config, parse_special=parse_special, **settings)
        return await self._analyse(analysis, priority)

    async def compare(
        self,
        prompt: Prompt,
        strategies: Mapping[str, Mapping[str, Any] | GenerationConfig] | None = None,
        *,
        seeds: int | Sequence[int] = NUM_SEEDS,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> Comparison:
        """Run several settings over one prompt and show side by side what tells them apart.

        See `LLM.compare`.
        """
        from foretell.analysis.compare import compare, plan_strategies

        chosen = plan_strategies(strategies, settings, seeds)
        read = partial(self._require_open().inputs.read, parse_special=parse_special)
        analysis = compare(read, prompt, chosen, self.info.description)
        return await self._analyse(analysis, priority)

    async def alternatives(
        self,
        prompt: Prompt | GenerationOutput,
        position: int | None = None,
        *,
        top: int = NUM_ALTERNATIVES,
        max_new_tokens: int = ALTERNATIVES_TOKENS,
        parse_special: bool = False,
        priority: int = 0,
    ) -> Alternatives:
        """The likeliest tokens at one position, and where each leads; see `LLM.alternatives`."""
        from foretell.analysis.alternatives import alternatives

        read = partial(self._require_open().inputs.read, parse_special=parse_special)
        analysis = alternatives(read, prompt, position, top, max_new_tokens)
        return await self._analyse(analysis, priority)

    async def stats(self) -> EngineStats:
        """What the engine has done and is doing: requests, KV blocks, prefix cache, tokens/s."""
        return await _ask(self._require_open().worker, LLM.stats)

    async def ended(self) -> None:
        """Wait until the model's thread has left; raises what ended it, if that was not `close()`.

        RequestError if it was not opened.
        """
        channel: Channel[None] = Channel(asyncio.get_running_loop(), deque())
        self._require_open().worker.watch(channel)
        await channel.get()

    async def close(self) -> None:
        """End all requests, with an error where they are read, and let go of the model.

        Returns once the thread has left. Closing twice does nothing.
        """
        if self._worker is not None:
            self._worker.stop()
            await asyncio.to_thread(self._worker.join)
        if self._opened is not None:
            self._opened = self._opened.without_model()

    def __repr__(self) -> str:
        if self._opened is None:
            return f"{type(self).__name__}(not open)"
        opened = self._opened
        return model_repr(self, opened.info, is_open=not opened.worker.is_leaving)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} {NOT_PICKLED}")

    async def open(self) -> Self:
        """Load the model, and be ready for requests until `close()`; returns this AsyncLLM.

            llm = await AsyncLLM("smollm2-135m-instruct").open()

        Raises what `LLM` raises where there is no such model, or it cannot be run; RequestError if
        it was opened before.
        """
        if self._worker is not None:
            raise RequestError("this AsyncLLM was opened already: make another")
        worker = self._worker = Worker(self._load, self._max_waiting)
        weakref.finalize(self, worker.stop).atexit = False  # the worker sees to that
        try:
            self._opened = await _ask(worker, partial(_open, worker))
        except BaseException:
            worker.stop()
            raise
        return self

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _require_open(self) -> _Opened:
        if self._opened is None:
            raise RequestError(NOT_OPEN)
        return self._opened

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
    async def submit(
        self,
        prompt: Prompts | ReadPrompts,
        config: GenerationConfig | None = None,
        *,
        streams: bool = True,
        default_length: int | None = None,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> AsyncGenerator[Submitted, None]:
        """As `stream`, for servers: the block is entered once the engine's queue has the request.

            async with llm.submit("Once upon a time", max_new_tokens=20) as submitted:
                async for chunk in submitted:
                    print(chunk.text, end="")

        So whatever can be refused is refused before it, QueueFullError included, and the first
        chunk may come much later. A list is taken or refused as a whole; its prompts wait outside
        the queue. Leaving the block ends the request.

        Args:
            prompt: text or ids, or a list of such; or a function that reads them, which is called
                in a helper thread.
            config: settings, as a whole.
            streams: whether every chunk is wanted, or those only that have an output.
            default_length: most tokens of a text, if there is room, where the settings state none.
            parse_special, priority, settings: as for `generate`.
        """
        complete = self._settings(config, settings)
        read = prompt if callable(prompt) else lambda: prompt
        jobs = await self._prepare(read, complete, parse_special, priority, default_length)
        channel = self._channel(streams=streams)
        with self._submit(jobs, jobs.num_prompts, priority, channel, streams=streams):
            await channel.admitted()
            yield Submitted(channel, jobs.token_ids)

    @asynccontextmanager
    async def submit_compare(
        self,
        prompt: Prompt,
        strategies: Mapping[str, Mapping[str, Any] | GenerationConfig] | None = None,
        *,
        seeds: int | Sequence[int] = NUM_SEEDS,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> AsyncGenerator[SubmittedView[RunChunk, Comparison]]:
        """As `compare`, for servers: the texts come as they are written, and then the whole.

            async with llm.submit_compare("Once upon a time", seeds=1) as submitted:
                async for parts in submitted:
                    for part in parts:
                        print(part.strategy, part.chunk.text)
                print(await submitted.view())

        The block is entered once the engine's queue has the requests; leaving it ends them.
        """
        from foretell.analysis.compare import chunk_labels, compare, plan_strategies

        inputs = self._require_open().inputs
        chosen = plan_strategies(strategies, settings, seeds)
        read = partial(inputs.read, parse_special=parse_special)
        analysis = compare(read, prompt, chosen, self.info.description)
        channel: Channel[Any] = self._channel(streams=True)
        async with self._under_way(analysis, channel, priority, streams=True) as jobs:
            label = chunk_labels(chosen, [job.config for job in jobs])

            async def parts(chunks: list[Chunk]) -> list[RunChunk]:
                return [label(chunk) for chunk in chunks]

            yield SubmittedView(channel, analysis, parts)

    @asynccontextmanager
    async def submit_beams(
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> AsyncGenerator[SubmittedView[GrownStep, BeamTree]]:
        """As `beams`, for servers: each step comes as it is made, and then the whole tree.

            async with llm.submit_beams("Once upon a time", num_beams=3) as submitted:
                async for parts in submitted:
                    for part in parts:
                        print(part.step)
                print(await submitted.view())

        The steps, with what later ones revise of them, are those of the tree. The block is entered
        once the engine's queue has the request; leaving it ends the search.
        """
        from foretell.analysis.beam_tree import BeamStep, TreeGrowth, beams

        channel: Channel[Any] = self._channel(streams=False)

        def hear(step: BeamStep) -> None:
            channel.put(step)
            wake([channel])

        analysis = beams(
            self.tokenizer,
            prompt,
            config,
            parse_special=parse_special,
            on_step=hear,
            **settings,
        )
        async with self._under_way(analysis, channel, priority, streams=False) as (job,):
            growth = TreeGrowth(self.tokenizer, list(job.request.prompt), job.config)

            async def parts(items: list[Any]) -> list[GrownStep]:
                steps = [item for item in items if isinstance(item, BeamStep)]
                return await asyncio.to_thread(lambda: [growth.add(step) for step in steps])

            yield SubmittedView(channel, analysis, parts)

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
    ) -> Iterator[None]:
        """Have jobs worked on, and their chunks put into the channel, until the block is left."""
        opened = self._require_open()
        submission = Generation(
            channel,
            iter(jobs),
            opened.tokenizer,
            streams=streams,
            is_list=num_jobs != 1,
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


def _once(load: Callable[[], LLM]) -> Callable[[], LLM]:
    """The same, to be called once: the model may be among its arguments, and is not kept here."""
    loads = [load]

    def load_once() -> LLM:
        return loads.pop()()

    return load_once


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


async def _ask(worker: Worker, question: Callable[[LLM], T]) -> T:
    """Let the worker's LLM answer a question between two steps."""
    channel: Channel[T] = Channel(asyncio.get_running_loop(), deque())
    worker.ask(question, channel)
    return cast(T, await channel.get())


def _open(worker: Worker, llm: LLM) -> _Opened:
    inputs = llm._require_open().inputs
    return _Opened(worker, llm.info, llm.tokenizer, llm.recommended, inputs)
