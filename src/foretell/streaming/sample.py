"""From a sample's events to what the user reads: chunks, then the output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, cast

from foretell.config.settings import TEXT_STOPS
from foretell.decoding.logprobs import TokenReport
from foretell.decoding.stopping import StoppingCriteria
from foretell.engine.events import EndEvent, Event, TokenEvent
from foretell.errors import RequestError
from foretell.outputs import (
    Chunk,
    FinishReason,
    GenerationOutput,
    LogprobStage,
    SearchUsage,
    StepTrace,
    StopReason,
    TokenLogprob,
    Usage,
)
from foretell.streaming.describe import describe, describe_trace
from foretell.streaming.job import Job
from foretell.streaming.prompt import PromptStreamer
from foretell.streaming.thoughts import thought_marks
from foretell.text.detokenizer import Detokenizer, unfinished_character
from foretell.text.reasoning import BEGIN, ends_with_mark, split, thinks
from foretell.text.stops import SearchBudget, StopMatcher
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

BY_THE_FORM = ("eos", "grammar")
"""Ends that are possible only where a text is complete."""

EndsText = Callable[[Sequence[int]], "StopReason | None"]
ByStage = dict[LogprobStage, list[TokenLogprob]]


class _Token(NamedTuple):
    """A generated token, and where its bytes are: in the characters `start:stop` of the text."""

    token_id: int
    start: int
    stop: int
    logprobs: dict[LogprobStage, TokenLogprob]
    trace: StepTrace | None


class SampleStreamer:
    """Writes down one sample of a request, number `index`, from its first event to its last.

    It also ends the sample where the text says so: at a stop string, a regular expression or the
    user's predicate. What the engine does after that is ignored.

    Args:
        job: the request's.
        tokenizer: the model's.
        index: the sample's number.
        prompt_streamer: what all samples of the request tell of its prompt; None: one for this
            sample alone.
        budget: for searching; shared by all that write down samples of the request.

    Attributes:
        output: the finished output; None until the last event, or until the text has ended.

    Raises:
        ConfigError: a stop is empty, or its regular expression is malformed.
    """

    def __init__(
        self,
        job: Job,
        tokenizer: Tokenizer,
        index: int = 0,
        prompt_streamer: PromptStreamer | None = None,
        *,
        budget: SearchBudget | None = None,
    ) -> None:
        config, prompt = job.request.config, job.request.prompt
        self.output: GenerationOutput | None = None
        self._job = job
        self._index = index
        self._tokenizer = tokenizer
        stages = () if config.logprobs is None else tuple(config.logprobs_stage)
        self._stages = cast("tuple[LogprobStage, ...]", stages)
        self._criteria = None
        if config.stopping_criteria is not None:
            self._criteria = StoppingCriteria(config.stopping_criteria, prompt)
        self._min_new_tokens = max(
            config.min_new_tokens or 0, (config.min_length or 0) - len(prompt)
        )
        self._detokenizer = Detokenizer(
            tokenizer,
            skip_special_tokens=not config.show_special_tokens,
            continuation=True,
            pending=unfinished_character(tokenizer, prompt),
        )
        self._matcher = StopMatcher(
            config.stop,
            config.stop_regex,
            include=config.include_stop_str_in_output,
            budget=budget,
        )
        beginning = job.request.beginning
        self._num_prompt_characters = 0 if beginning is None else beginning.num_characters
        self._text = ""  # all that was decoded; what was shown of it is in `_pieces`
        self._pieces: list[str] = []
        self._num_shown = self._num_bytes = 0
        self._generated: list[int] = []
        self._tokens: list[_Token] = []  # those whose text was shown
        self._waiting: deque[_Token] = deque()  # the others
        self._prompt = prompt_streamer or PromptStreamer(job, tokenizer)
        self._num_cached = self._num_drafts = self._num_accepted = 0
        self._speculation_off: str | None = None
        self._has_begun = False  # whether there was a chunk
        self._score: float | None = None
        self._inclusion: float | None = None
        self._started = perf_counter()
        self._first = self._latest = self._started

    def take(self, event: Event) -> Chunk | None:
        """The chunk that an event makes; None if there is none to show, or the text has ended."""
        if self.output is not None:
            return None
        if isinstance(event, TokenEvent):
            return self._take_token(event)
        if isinstance(event, EndEvent):
            return self._end("", event.finish_reason)
        self._prompt.take(event)
        return None

    def require_output(self) -> GenerationOutput:
        """The finished output; RequestError before the last event."""
        if self.output is None:
            raise RequestError(f"the request for {quote(self._job.prompt)} has not ended")
        return self.output

    def _take_token(self, event: TokenEvent) -> Chunk:
        self._latest = perf_counter()
        if not self._generated:
            self._first = self._latest
            self._num_cached = event.cached_tokens
            self._speculation_off = event.speculation_off
        self._num_drafts += event.num_drafts
        self._num_accepted += event.is_ahead
        self._score = event.score
        self._inclusion = event.inclusion_probability
        self._generated.append(event.token_id)
        may_stop = len(self._generated) >= self._min_new_tokens
        text = self._write(event, may_stop)
        reason = self._reason(event.stop_reason, may_stop)
        if reason is None:
            return self._chunk(text)
        return self._end(text, reason.finish_reason, reason)

    def _write(self, event: TokenEvent, may_stop: bool) -> str:
        """Decode a token; what may be shown of the text now."""
        start, piece = len(self._text), ""
        if event.stop_reason is None or event.stop_reason.kind not in ("eos", "token"):
            piece = self._detokenizer.push(event.token_id)
            start += self._detokenizer.num_broken
        if self._num_prompt_characters:
            piece = self._without_prompt(piece)
        self._text += piece
        stop = len(self._text)
        if not self._num_prompt_characters:
            stop += self._detokenizer.num_unfinished
        logprobs = {
            stage: _describe(event.reports[stage], stage, self._tokenizer) for stage in self._stages
        }
        record = event.trace
        trace = None if record is None else describe_trace(record, self._tokenizer)
        self._waiting.append(_Token(event.token_id, start, stop, logprobs, trace))
        return self._matcher.push(piece, acts=may_stop)

    def _without_prompt(self, piece: str) -> str:
        """The piece without what of it is the prompt's: tokens were taken back from that."""
        number = min(len(piece), self._num_prompt_characters)
        self._num_prompt_characters -= number
        return piece[number:]

    def _found(self) -> StopReason | None:
        match = self._matcher.match
        return None if match is None else StopReason(match.kind, match.value)

    def _reason(self, reason: StopReason | None, may_stop: bool) -> StopReason | None:
        """Why the text ends here: by a stop in it, or by the engine's reason.

        The user's predicates go before limits.
        """
        criteria = self._criteria
        if self._matcher.match is not None:
            return self._found()
        if criteria is None or not may_stop:
            return reason
        if reason is not None and reason.finish_reason == "stop":
            return reason
        return StopReason("criteria") if criteria(self._text, self._generated) else reason

    def _end(
        self, text: str, finish_reason: FinishReason, reason: StopReason | None = None
    ) -> Chunk:
        """Show what is left, unless it is or becomes a stop."""
        if self._matcher.match is None:
            may_stop = len(self._generated) >= self._min_new_tokens
            rest = self._without_prompt(self._detokenizer.finish())
            text += self._matcher.push(rest, acts=may_stop)
            reason = self._found() or reason
            text += self._matcher.finish()
        reason = self._as_stated(reason)
        return self._chunk(text, finish_reason if reason is None else reason.finish_reason, reason)

    def _as_stated(self, reason: StopReason | None) -> StopReason | None:
        """The reason with the limit that was stated: a healed prompt's tokens are no part of it."""
        is_healed = self._job.request.beginning is not None
        if reason is None or reason.kind != "max_new_tokens" or not is_healed:
            return reason
        return replace(reason, value=self._job.config.max_new_tokens)

    def _chunk(
        self,
        text: str,
        finish_reason: FinishReason | None = None,
        stop_reason: StopReason | None = None,
    ) -> Chunk:
        start_byte = self._num_bytes
        self._pieces.append(text)
        self._num_shown += len(text)
        self._num_bytes += len(text.encode())
        tokens = self._release(is_last=finish_reason is not None)
        self._tokens += tokens
        prompt_logprobs = None if self._has_begun else self._prompt.logprobs()
        self._has_begun = True
        if finish_reason is not None:
            self.output = self._finish(finish_reason, stop_reason)
        return Chunk(
            text=text,
            token_ids=[token.token_id for token in tokens],
            start_byte=start_byte,
            logprobs=self._logprobs(tokens) if self._stages else None,
            logprobs_by_stage=self._logprobs_by_stage(tokens) if self._stages else None,
            finish_reason=finish_reason,
            output=self.output,
            prompt_index=self._job.prompt_index,
            index=self._index,
            trace=self._traces(tokens) if self._job.request.config.trace else None,
            prompt_logprobs=prompt_logprobs,
        )

    def _release(self, *, is_last: bool) -> list[_Token]:
        """The waiting tokens whose text is shown now; at the end, those with any text shown."""
        tokens = []
        while self._waiting:
            token = self._waiting[0]
            if token.stop > self._num_shown and not (is_last and token.start < self._num_shown):
                break
            tokens.append(self._waiting.popleft())
        return tokens

    def _logprobs(self, tokens: Sequence[_Token]) -> list[TokenLogprob]:
        return [token.logprobs[self._stages[0]] for token in tokens]

    def _logprobs_by_stage(self, tokens: Sequence[_Token]) -> ByStage | None:
        if len(self._stages) < 2:
            return None
        return {stage: [token.logprobs[stage] for token in tokens] for stage in self._stages}

    def _finish(self, reason: FinishReason, stop_reason: StopReason | None) -> GenerationOutput:
        text = "".join(self._pieces)
        thought, said = self._split(text)
        return GenerationOutput(
            text=text,
            token_ids=[token.token_id for token in self._tokens],
            finish_reason=reason,
            usage=self._usage(stop_reason),
            config=self._job.config,
            prompt=self._job.prompt,
            prompt_token_ids=list(self._job.request.prompt),
            logprobs=self._logprobs(self._tokens) if self._stages else None,
            stop_reason=stop_reason,
            logprobs_by_stage=self._logprobs_by_stage(self._tokens) if self._stages else None,
            prompt_logprobs=self._prompt.logprobs(),
            trace=self._traces(self._tokens) if self._job.request.config.trace else None,
            index=self._index,
            score=self._score,
            inclusion_probability=self._inclusion,
            complete=self._is_complete(reason, stop_reason),
            passed_over=self._passed_over(),
            content=said,
            reasoning_content=thought,
            origin=self._job.origin,
        )

    def _split(self, text: str) -> tuple[str | None, str | None]:
        """What was thought, and what was said, where a form lets thoughts come first."""
        if not self._job.config.allow_thinking:
            return None, None
        begins = ends_with_mark(BEGIN, self._job.request.prompt, self._tokenizer)
        return split(text, starts_inside=begins)

    def _is_complete(self, reason: FinishReason, stop_reason: StopReason | None) -> bool | None:
        """Whether the text is of the language that it was held to, and ended by itself there."""
        grammar = self._job.request.grammar
        if grammar is None:
            return None
        if reason != "stop" or stop_reason is None:
            return False
        return stop_reason.kind in BY_THE_FORM or grammar.accepts("".join(self._pieces))

    def _passed_over(self) -> list[str] | None:
        grammar = self._job.request.grammar
        return [*grammar.passed_over] if grammar is not None and grammar.passed_over else None

    def _traces(self, tokens: Sequence[_Token]) -> list[StepTrace]:
        return [token.trace for token in tokens if token.trace is not None]

    def _num_thoughts(self, reason: StopReason | None) -> int:
        """How many of the tokens are thoughts, where the model's template knows any."""
        if not thinks(self._tokenizer.chat_template):
            return 0
        marks = thought_marks(self._tokenizer, self._job.config, self._job.request.prompt)
        has_end = reason is not None and reason.kind in ("eos", "token")
        tokens = self._generated[:-1] if has_end else self._generated
        return 0 if marks is None else marks.num_thoughts(tokens)

    def _usage(self, stop_reason: StopReason | None) -> Usage:
        kind = SearchUsage if self._job.request.config.num_beams > 1 else Usage
        return kind(
            prompt_tokens=len(self._job.request.prompt),
            completion_tokens=len(self._generated),
            time_to_first_token=self._first - self._started,
            decode_seconds=self._latest - self._first,
            cached_tokens=self._num_cached,
            draft_tokens=self._num_drafts,
            accepted_tokens=self._num_accepted,
            speculation_off=self._speculation_off,
            reasoning_tokens=self._num_thoughts(stop_reason),
        )


def stop_in_text(job: Job, tokenizer: Tokenizer) -> EndsText | None:
    """From generated ids to the stop that their text ends with; None if the settings have none.

    It writes the text down anew each time, by the same rules as the streamer of its sample.
    """
    config = job.request.config
    if not any(getattr(config, name) for name in TEXT_STOPS):
        return None
    silent_config = config.override(logprobs=None, prompt_logprobs=None)
    silent = replace(job, request=replace(job.request, config=silent_config, grammar=None))
    budget = SearchBudget()

    def stop_of(token_ids: Sequence[int]) -> StopReason | None:
        streamer = SampleStreamer(silent, tokenizer, budget=budget)
        for token_id in token_ids:
            streamer.take(TokenEvent(0, token_id))
        return None if streamer.output is None else streamer.output.stop_reason

    return stop_of


def _describe(report: TokenReport, stage: LogprobStage, tokenizer: Tokenizer) -> TokenLogprob:
    entry = describe(report, tokenizer)
    top = tuple(replace(other, stage=stage) for other in entry.top)
    return replace(entry, stage=stage, top=top)
