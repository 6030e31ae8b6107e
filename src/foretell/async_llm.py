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
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
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

from foretell.analysis.continuations import continuations_of, one_or_all, score_continuations
from foretell.analysis.probabilities import next_probe, score_probe
from foretell.backends.base import Backend, BackendInfo
from foretell.config import GenerationConfig
from foretell.config.choices import Several
from foretell.config.defaults import (
    ALTERNATIVES_TOKENS,
    CHAT_TOKENS,
    NUM_ALTERNATIVES,
    NUM_NEXT,
    NUM_SEEDS,
)
from foretell.config.foreign_names import refuse_unknown
from foretell.config.typed import GenerationSettings, SampleSettings
from foretell.engine.engine import Engine
from foretell.engine.stats import EngineStats
from foretell.errors import RequestError
from foretell.hub import DEFAULT_MODEL
from foretell.inputs.beginnings import beginning_of
from foretell.inputs.chat import chat_request
from foretell.inputs.chat_settings import ChatSampleSettings, ChatSettings
from foretell.inputs.infill import infill_request
from foretell.inputs.prompts import Prompt, Prompts
from foretell.llm import LLM, NOT_PICKLED, model_repr
from foretell.outputs import (
    Chunk,
    ContinuationScore,
    GenerationOutput,
    KeptPrefix,
    NextDistribution,
    Score,
)
from foretell.worker.channel import Channel, wake
from foretell.worker.running import NO_SETTINGS, Opened, ReadPrompts, Running
from foretell.worker.submitted import Submitted, SubmittedView
from foretell.worker.thread import Worker

if TYPE_CHECKING:
    from foretell.analysis.alternatives import Alternatives
    from foretell.analysis.beam_tree import BeamTree, GrownStep
    from foretell.analysis.choice import Answer, SampleChoice, Utility
    from foretell.analysis.compare import Comparison, RunChunk
    from foretell.analysis.explain import Explanation
    from foretell.analysis.replay import Replay
    from foretell.analysis.watermark import WatermarkEvidence
    from foretell.config.validators import Watermark
    from foretell.prefixes.keeping import Runner
    from foretell.receipts.receipt import Receipt
    from foretell.text.tokenizer import Tokenizer

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")
P_co = TypeVar("P_co", covariant=True)
V_co = TypeVar("V_co", covariant=True)

OPTION_NAMES = tuple(inspect.signature(LLM).parameters)
"""What `LLM` takes."""

NOT_OPEN = (
    "this AsyncLLM is not open: use it in `async with AsyncLLM(...) as llm:`, or await its open()"
)


def _typed_as(
    other: Callable[Concatenate[Any, P], None],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """A decorator that changes nothing: type checkers take the arguments for those of `other`."""
    return lambda method: method


class AsyncLLM(Running):
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
        self._shares = False
        self._worker: Worker | None = None
        self._opened: Opened | None = None

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
        num_return_sequences: Several,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[SampleSettings],
    ) -> list[GenerationOutput]: ...

    @overload
    async def generate(  # type: ignore[overload-overlap]
        self,
        prompt: str,
        config: GenerationConfig | None = None,
        *,
        num_return_sequences: int | None,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[SampleSettings],
    ) -> GenerationOutput | list[GenerationOutput]: ...

    @overload
    async def generate(
        self,
        prompt: Sequence[Prompt],
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
    async def chat(
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
        num_return_sequences: Several,
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
        length = self.info.context_length
        chat = chat_request(self.tokenizer, messages, config, settings, length)
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
        length = self.info.context_length
        chat = chat_request(self.tokenizer, messages, config, settings, length)
        complete = self._settings(config, chat.settings)
        chunks = self._stream(chat.read, complete, False, priority, CHAT_TOKENS)
        return chunks if chat.parser.is_plain else chat.parse_async_stream(chunks)

    async def infill(
        self,
        prefix: str,
        suffix: str,
        config: GenerationConfig | None = None,
        *,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> GenerationOutput | list[GenerationOutput]:
        """Fill the gap between two texts; see `LLM.infill`."""
        ids, own = infill_request(self.tokenizer, prefix, suffix, config, settings)
        found: GenerationOutput | list[GenerationOutput]
        found = await self.generate(ids, config, priority=priority, **own)
        return found

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

    @overload
    async def score(
        self, text: Prompt, top: int = 0, *, parse_special: bool = False, priority: int = 0
    ) -> Score: ...

    @overload
    async def score(  # type: ignore[overload-overlap]
        self,
        text: Prompt,
        top: str,
        *,
        continuations: None = None,
        parse_special: bool = False,
        priority: int = 0,
    ) -> ContinuationScore: ...

    @overload
    async def score(
        self,
        text: Prompt,
        top: Sequence[Prompt],
        *,
        continuations: None = None,
        parse_special: bool = False,
        priority: int = 0,
    ) -> list[ContinuationScore]: ...

    @overload
    async def score(  # type: ignore[overload-overlap]
        self,
        text: Prompt,
        top: int = 0,
        *,
        continuations: str,
        parse_special: bool = False,
        priority: int = 0,
    ) -> ContinuationScore: ...

    @overload
    async def score(
        self,
        text: Prompt,
        top: int = 0,
        *,
        continuations: Sequence[Prompt],
        parse_special: bool = False,
        priority: int = 0,
    ) -> list[ContinuationScore]: ...

    async def score(
        self,
        text: Prompt,
        top: int | Prompts = 0,
        *,
        continuations: Prompts | None = None,
        parse_special: bool = False,
        priority: int = 0,
    ) -> Score | list[ContinuationScore]:
        """Log-probabilities of a text, or of what may follow it; see `LLM.score`."""
        continuations, num_top = continuations_of(top, continuations)
        if continuations is None:
            probe, complete = score_probe(num_top), self._settings(None, NO_SETTINGS)
            return await self._look(probe, text, complete, parse_special, priority)
        analysis = score_continuations(
            self.tokenizer, text, continuations, num_top, parse_special=parse_special
        )
        return one_or_all(await self._analyse(analysis, priority), continuations)

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

    async def replay(
        self,
        receipt: Receipt | str | os.PathLike[str],
        *,
        functions: Mapping[str, Any] | None = None,
        priority: int = 0,
    ) -> Replay:
        """Make a text again from its receipt, and compare it bit by bit; see `LLM.replay`."""
        from foretell.analysis.replay import replay
        from foretell.receipts import read_receipt

        opened = self._require_open()
        length = opened.info.context_length
        read = await asyncio.to_thread(read_receipt, receipt)
        analysis = replay(read, opened.origin, opened.tokenizer, length, functions)
        return await self._analyse(analysis, priority)

    async def choose(
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        by: str = "mbr",
        utility: Utility | str = "chrf",
        answer: Answer | str | None = None,
        parse_special: bool = False,
        priority: int = 0,
        **settings: Unpack[GenerationSettings],
    ) -> SampleChoice:
        """Draw several samples, and choose one of them; see `LLM.choose`."""
        from foretell.analysis.choice import choose, config_of_samples

        complete = config_of_samples(config, settings)
        view = choose(prompt, complete, by, utility, answer, parse_special=parse_special)
        return await self._analyse(view, priority)

    async def detect_watermark(
        self,
        text: Prompt | GenerationOutput,
        *,
        watermark: Watermark | Mapping[str, Any] | bool = True,
        z_threshold: float = 3.0,
        ignore_repeated_ngrams: bool = False,
    ) -> WatermarkEvidence:
        """Whether a text bears a watermark; see `LLM.detect_watermark`."""
        from foretell.analysis.watermark import evidence_in

        return await asyncio.to_thread(
            evidence_in,
            text,
            self.tokenizer,
            self.info.vocab_size,
            watermark,
            z_threshold=z_threshold,
            ignore_repeated_ngrams=ignore_repeated_ngrams,
        )

    async def stats(self) -> EngineStats:
        """What the engine has done and is doing: requests, KV blocks, prefix cache, tokens/s."""
        return await _ask(self._require_open().worker, LLM.stats)

    async def save_prefix(
        self,
        path: str | os.PathLike[str],
        prompt: Prompt | None = None,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        chat_template: str | None = None,
        parse_special: bool = False,
        priority: int = 0,
    ) -> KeptPrefix:
        """Compute a prompt, and write what was computed of it to a file; see `LLM.save_prefix`."""
        from foretell.prefixes.keeping import save_prefix

        inputs = self._require_open().inputs
        read = beginning_of(inputs, prompt, messages, tools, chat_template, parse_special)
        return await self._keep(lambda runner: save_prefix(runner, path, read()), priority)

    async def load_prefix(
        self, path: str | os.PathLike[str], *, sha256: str | None = None
    ) -> KeptPrefix:
        """Put what `save_prefix` wrote into the prefix cache; see `LLM.load_prefix`."""
        from foretell.prefixes.keeping import load_prefix

        return await self._keep(lambda runner: load_prefix(runner, path, sha256), 0)

    async def _keep(self, work: Callable[[Runner], T], priority: int) -> T:
        """Run what saves or loads in a helper thread, which asks the model's for what it needs."""
        from foretell.prefixes.keeping import Runner, prompt_only

        worker, loop = self._require_open().worker, asyncio.get_running_loop()
        opened = await _ask(worker, lambda llm: llm._require_open())
        is_wanted = True

        def wait(begun: Coroutine[Any, Any, V]) -> V:
            return asyncio.run_coroutine_threadsafe(begun, loop).result()

        def act(asked: Callable[[Engine], V]) -> V:
            return wait(_ask(worker, lambda _: asked(opened.engine)))

        def compute(tokens: Sequence[int]) -> None:
            config = self._settings(None, NO_SETTINGS)
            wait(self._look(prompt_only(), tokens, config, False, priority))

        def check() -> None:
            if not is_wanted:
                raise asyncio.CancelledError

        try:
            runner = Runner(opened.backend, opened.files, act, compute, check)
            return await asyncio.to_thread(work, runner)
        finally:
            is_wanted = False

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
        worker = self._worker = Worker(self._load, self._max_waiting, shares=self._shares)
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

    def _require_open(self) -> Opened:
        if self._opened is None:
            raise RequestError(NOT_OPEN)
        return self._opened

    @asynccontextmanager
    async def submit(
        self,
        prompt: Prompts | ReadPrompts,
        config: GenerationConfig | None = None,
        *,
        streams: bool = True,
        is_patient: bool = False,
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
            is_patient: whether one prompt, too, waits outside the queue until few are in it, as is
                best where hundreds are given at once.
            default_length: most tokens of a text, if there is room, where the settings state none.
            parse_special, priority, settings: as for `generate`.
        """
        complete = self._settings(config, settings)
        read = prompt if callable(prompt) else lambda: prompt
        jobs = await self._prepare(read, complete, parse_special, priority, default_length)
        channel = self._channel(streams=streams)
        with self._submit(
            jobs, jobs.num_prompts, priority, channel, streams=streams, is_patient=is_patient
        ):
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


def share(llm: LLM) -> AsyncLLM:
    """An AsyncLLM, yet to be opened, over an LLM that is open: others may use that meanwhile.

    To close it ends its own requests, and leaves the LLM open.
    """
    shared = AsyncLLM.__new__(AsyncLLM)
    shared._load = lambda: llm
    shared._shares = True
    shared._max_waiting = None
    shared._name = llm._require_open().origin.given
    shared._worker = shared._opened = None
    return shared


def _once(load: Callable[[], LLM]) -> Callable[[], LLM]:
    """The same, to be called once: the model may be among its arguments, and is not kept here."""
    loads = [load]

    def load_once() -> LLM:
        return loads.pop()()

    return load_once


async def _ask(worker: Worker, question: Callable[[LLM], T]) -> T:
    """Let the worker's LLM answer a question between two steps."""
    channel: Channel[T] = Channel(asyncio.get_running_loop(), deque())
    worker.ask(question, channel)
    return cast(T, await channel.get())


def _open(worker: Worker, llm: LLM) -> Opened:
    opened = llm._require_open()
    inputs, origin = opened.inputs, opened.origin
    return Opened(worker, llm.info, llm.tokenizer, llm.recommended, inputs, origin)
