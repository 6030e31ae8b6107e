"""LLM: a model and its tokenizer, ready to write (rows 1 and 8 of the design). Start reading here.

prompt + settings → `Request` → `Engine` → events → `Chunk`s → `GenerationOutput`
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

from foretell.backends.base import Backend, BackendInfo
from foretell.config import GenerationConfig, Range
from foretell.decoding.logprobs import TokenReport
from foretell.decoding.strategies import Observe
from foretell.engine.engine import Engine
from foretell.engine.events import PromptEvent
from foretell.engine.mailroom import Mailroom
from foretell.errors import ConfigError, RequestError
from foretell.hub import DEFAULT_MODEL
from foretell.loading import check_backend, open_model
from foretell.outputs import Chunk, GenerationOutput, NextDistribution, Score
from foretell.preparation import Preparation
from foretell.progress import progress_bar
from foretell.prompts import Prompt, is_batch
from foretell.reports import next_distribution, score_of
from foretell.transcript import Job, Transcript

if TYPE_CHECKING:
    from foretell.comparison import Comparison
    from foretell.explanation import Explanation
    from foretell.text.tokenizer import Tokenizer

Activations = Literal["int8", "float32"]
KVDtype = Literal["float16", "float32"]

CLOSED = "this LLM is closed: make another"

# Settings that say nothing of the distribution of the next token.
NOT_FOR_NEXT = (
    *("max_new_tokens", "max_length", "max_time", "ignore_eos", "stop_token_ids", "stop"),
    *("include_stop_str_in_output", "stop_regex", "repetition_detection", "stopping_criteria"),
    *("seed", "logprobs", "logprobs_stage", "prompt_logprobs", "trace"),
    *("guidance_scale", "negative_prompt"),  # they take a second sequence
)


class LLM:
    """A causal language model.

        llm = LLM()
        print(llm.generate("The cat sat on the", max_new_tokens=20).text)

    It belongs to one thread. `close()`, or leaving a `with` block, lets go of its memory.

    Attributes:
        info: what runs the model, and what it can hold.
        tokenizer: the tokenizer in use.
        recommended: the settings that the model's own files recommend; `preset="model"` takes them.

    Args:
        model: a known name (`foretell models`), the path of a GGUF file, or a `Backend`.
        tokenizer: in place of the model's own; required with a `Backend`.
        threads: threads that compute; None for all physical cores.
        activations: "int8" is fast; "float32" multiplies exactly.
        kv_dtype: in which keys and values are kept.
        context_length: most positions of one sequence; None for the model's own.

    Raises:
        ModelNotFoundError, DownloadError: there is no such model, or it could not be fetched.
        ModelFileError, UnsupportedModelError: its file is damaged, or of an unknown kind.
        ConfigError: an argument has no meaning here.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Backend = DEFAULT_MODEL,
        *,
        tokenizer: Tokenizer | None = None,
        threads: int | None = None,
        activations: Activations = "int8",
        kv_dtype: KVDtype = "float16",
        context_length: int | None = None,
    ) -> None:
        settings = {
            "threads": threads,
            "activations": activations,
            "kv_dtype": kv_dtype,
            "context_length": context_length,
        }
        self.recommended: dict[str, Any] = {}
        if isinstance(model, (str, os.PathLike)):
            loaded = open_model(model, settings)
            backend, tokenizer = loaded.backend, tokenizer or loaded.tokenizer
            self.recommended = loaded.recommended
        else:
            backend = check_backend(model, settings)
        if tokenizer is None:
            raise ConfigError("tokenizer=None: a model given as a Backend needs a tokenizer")
        self.tokenizer = tokenizer
        self.info: BackendInfo = backend.info
        self._backend: Backend | None = backend
        self._room: Mailroom | None = Mailroom(Engine(backend))
        self._preparation = Preparation(tokenizer, self.recommended)

    @property
    def backend(self) -> Backend:
        """What runs the model, for measurements; RequestError once the LLM is closed."""
        if self._backend is None:
            raise RequestError(CLOSED)
        return self._backend

    @overload
    def generate(
        self,
        prompt: str | list[int],
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        progress: bool = False,
        **settings: Any,
    ) -> GenerationOutput: ...

    @overload
    def generate(
        self,
        prompt: list[str] | list[list[int]],
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        progress: bool = False,
        **settings: Any,
    ) -> list[GenerationOutput]: ...

    def generate(
        self,
        prompt: str | list[int] | list[str] | list[list[int]],
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        progress: bool = False,
        **settings: Any,
    ) -> GenerationOutput | list[GenerationOutput]:
        """Continue a prompt, or a list of prompts, all at once.

        Args:
            prompt: text, or token ids; or a list of such, answered by a list in the same order.
            config: settings, as a whole.
            parse_special: whether special tokens written out in the text count as such.
            progress: whether a bar on stderr counts the finished prompts.
            settings: fields of `GenerationConfig`, which win over `config`.

        Raises:
            ConfigError: a setting is unknown, out of range or contradicts another.
            RequestError: a prompt is empty or cannot fit.
        """
        batch: Sequence[Any] = prompt if is_batch(prompt) else [prompt]
        jobs = [self._job(one, parse_special, config, settings) for one in batch]
        with progress_bar(len(jobs) if progress else 0) as advance:
            outputs = self._run(jobs, advance)
        return outputs if is_batch(prompt) else outputs[0]

    def stream(
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        **settings: Any,
    ) -> Generator[Chunk, None, None]:
        """Continue a prompt, a chunk a token. Arguments and errors are those of `generate`.

        The texts of the chunks, joined, equal the output's text; the last chunk has the output.
        Leaving the loop early ends the request.
        """
        return self._stream(self._job(prompt, parse_special, config, settings))

    def next(
        self,
        prompt: Prompt,
        top: int = 10,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        **settings: Any,
    ) -> NextDistribution:
        """P(x_t | x_<t): how probable each next token is, before and after the settings.

        Lists the `top` most probable tokens of the raw model. Without settings decoding is greedy,
        so all final probability is on one token.
        """
        _check_count("top", top, 1)
        for name in NOT_FOR_NEXT:
            if name in settings:
                raise ConfigError(
                    f"{name}={settings[name]!r} has no effect on the next token's odds"
                )
        observer = Observe()
        job = self._job(prompt, parse_special, config, settings, strategy=observer)
        self._observe(job)
        return next_distribution(job, observer.require_row(), self.tokenizer, top)

    def score(self, text: Prompt, top: int = 0, *, parse_special: bool = False) -> Score:
        """Log-probability of each token of a text, their sum (the product rule), and perplexity.

        Each token comes with the `top` most probable ones in its place. The first token has no
        log-probability, unless the tokenizer puts a beginning-of-sequence token before it.
        """
        _check_count("top", top, 0)
        job = self._job(text, parse_special, strategy=Observe(), prompt_logprobs=top)
        reports = self._observe(job)
        return score_of(job.prompt, job.request.prompt, reports, self.tokenizer)

    def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        config: GenerationConfig | None = None,
        **settings: Any,
    ) -> GenerationOutput:
        """Answer a conversation: `[{"role": "user", "content": "Hello"}, ...]`.

        The model's own chat template makes the prompt; text in a message never counts as a special
        token. RequestError if the model has no template, or the messages do not suit it.
        """
        from foretell.conversation import chat_prompt

        return self.generate(chat_prompt(self.tokenizer, messages), config, **settings)

    def stream_chat(
        self,
        messages: Sequence[Mapping[str, str]],
        config: GenerationConfig | None = None,
        **settings: Any,
    ) -> Generator[Chunk, None, None]:
        """As `chat`, a chunk a token."""
        from foretell.conversation import chat_prompt

        return self.stream(chat_prompt(self.tokenizer, messages), config, **settings)

    def explain(
        self, prompt: Prompt, config: GenerationConfig | None = None, **settings: Any
    ) -> Explanation:
        """Continue a prompt and tell of every token why it was chosen.

        Arguments and errors are those of `generate`. In a notebook the result shows itself.
        """
        from foretell.explanation import explain

        return explain(self, prompt, config, **settings)

    def compare(
        self,
        prompt: str | list[int],
        strategies: Mapping[str, Mapping[str, Any] | GenerationConfig] | None = None,
        *,
        seeds: int | Sequence[int] = 3,
        **settings: Any,
    ) -> Comparison:
        """Run several settings over one prompt and show side by side what tells them apart.

            llm.compare("Once upon a time", {"greedy": {}, "warm": {"temperature": 1.2}})

        Args:
            prompt: text, or token ids.
            strategies: settings by a name of your choice; None for the textbook's.
            seeds: so many runs, or runs with these seeds, of each that samples.
            settings: in force for all of them.
        """
        from foretell.comparison import DEFAULT_STRATEGIES, compare

        chosen = DEFAULT_STRATEGIES if strategies is None else strategies
        return compare(self, prompt, chosen, seeds=seeds, **settings)

    def close(self) -> None:
        """End all requests and let go of the model; closing twice does nothing."""
        if self._room is not None:
            self._room.close_all()
            self._room = self._backend = None

    def __enter__(self) -> LLM:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _job(
        self,
        prompt: Prompt,
        parse_special: bool,
        config: GenerationConfig | None = None,
        settings: dict[str, Any] | None = None,
        **extras: Any,
    ) -> Job:
        """Check settings and prompt, before any work."""
        room = self._require_room()
        job = self._preparation.job(
            prompt, config, settings or {}, parse_special=parse_special, **extras
        )
        room.check(job.request)
        return job

    def _run(self, jobs: list[Job], advance: Callable[[], None]) -> list[GenerationOutput]:
        room = self._require_room()
        transcripts: dict[int, Transcript] = {}
        try:
            for job in jobs:
                transcripts[room.open(job.request)] = Transcript(job, self.tokenizer)
            pending = set(transcripts)
            while pending:
                for event in room.take(pending):
                    transcript = transcripts[event.request_id]
                    transcript.take(event)
                    if transcript.output is not None and event.request_id in pending:
                        pending.remove(event.request_id)
                        room.close(event.request_id)  # a stop in the text ends it here only
                        advance()
        finally:
            for request_id in transcripts:
                room.close(request_id)
        return [transcript.require_output() for transcript in transcripts.values()]

    def _observe(self, job: Job) -> list[TokenReport]:
        """Run a request that generates nothing; what it reports of its prompt."""
        room = self._require_room()
        request_id = room.open(job.request)
        reports: list[TokenReport] = []
        try:
            while True:
                for event in room.take([request_id]):
                    if not isinstance(event, PromptEvent):
                        return reports
                    reports += event.reports
        finally:
            room.close(request_id)

    def _stream(self, job: Job) -> Generator[Chunk, None, None]:
        room = self._require_room()
        transcript = Transcript(job, self.tokenizer)
        request_id = room.open(job.request)
        try:
            while transcript.output is None:
                for event in self._require_room().take([request_id]):
                    chunk = transcript.take(event)
                    if chunk is not None:
                        yield chunk
        finally:
            room.close(request_id)

    def _require_room(self) -> Mailroom:
        if self._room is None:
            raise RequestError(CLOSED)
        return self._room


def _check_count(name: str, value: int, low: int) -> None:
    Range(int, low, math.inf, "tokens to list").check(name, value)
