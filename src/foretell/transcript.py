"""From a request's events to what the user reads (row 8 of the design): chunks, then the output."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from foretell.config import GenerationConfig
from foretell.engine.events import EndEvent, Event, TokenEvent
from foretell.engine.request import Request
from foretell.errors import RequestError
from foretell.outputs import Chunk, FinishReason, GenerationOutput, TokenLogprob, Usage
from foretell.reports import describe
from foretell.text.detokenizer import Detokenizer

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Job:
    """A request, and the text that its prompt is."""

    prompt: str
    request: Request
    config: GenerationConfig


class Transcript:
    """Writes down one request from its first event to its last.

    Attributes:
        output: the finished output; None until the last event.
    """

    def __init__(self, job: Job, tokenizer: Tokenizer) -> None:
        self.output: GenerationOutput | None = None
        self._job = job
        self._tokenizer = tokenizer
        self._detokenizer = Detokenizer(tokenizer, continuation=True)
        self._pieces: list[str] = []
        self._token_ids: list[int] = []
        self._logprobs: list[TokenLogprob] = []
        self._started = perf_counter()
        self._first = self._latest = self._started

    def take(self, event: Event) -> Chunk | None:
        """The chunk that an event makes; None if there is none to show."""
        if isinstance(event, TokenEvent):
            return self._take_token(event)
        if isinstance(event, EndEvent):
            logprobs: list[TokenLogprob] | None = [] if self._wants_logprobs else None
            return self._chunk("", [], logprobs, event.finish_reason)
        return None

    def _take_token(self, event: TokenEvent) -> Chunk:
        self._latest = perf_counter()
        if not self._token_ids:
            self._first = self._latest
        self._token_ids.append(event.token_id)
        entries = [describe(report, self._tokenizer) for report in event.reports.values()]
        self._logprobs += entries
        stop = event.stop_reason
        is_eos = stop is not None and stop.kind == "eos"  # it ends the text and is no part of it
        text = "" if is_eos else self._detokenizer.push(event.token_id)
        logprobs = entries if self._wants_logprobs else None
        reason = None if stop is None else stop.finish_reason
        return self._chunk(text, [event.token_id], logprobs, reason)

    def _chunk(
        self,
        text: str,
        token_ids: list[int],
        logprobs: list[TokenLogprob] | None,
        reason: FinishReason | None,
    ) -> Chunk:
        if reason is not None:
            text += self._detokenizer.finish()
        self._pieces.append(text)
        if reason is not None:
            self.output = self._finish(reason)
        return Chunk(text, token_ids, logprobs=logprobs, finish_reason=reason, output=self.output)

    def require_output(self) -> GenerationOutput:
        """The finished output; RequestError before the last event."""
        if self.output is None:
            raise RequestError(f"the request for {self._job.prompt!r} has not ended")
        return self.output

    @property
    def _wants_logprobs(self) -> bool:
        return self._job.request.config.logprobs is not None

    def _finish(self, reason: FinishReason) -> GenerationOutput:
        request = self._job.request
        usage = Usage(
            prompt_tokens=len(request.prompt),
            completion_tokens=len(self._token_ids),
            time_to_first_token=self._first - self._started,
            decode_seconds=self._latest - self._first,
        )
        return GenerationOutput(
            text="".join(self._pieces),
            token_ids=self._token_ids,
            finish_reason=reason,
            usage=usage,
            config=self._job.config,
            prompt=self._job.prompt,
            prompt_token_ids=list(request.prompt),
            logprobs=self._logprobs if self._wants_logprobs else None,
        )
