"""What is noted of a request while it is answered, for its log line and the metrics."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from foretell.outputs import Chunk, GenerationOutput, SearchUsage
from foretell.server.errors import ApiError

_FIELD = re.compile(r"[a-z_]{1,40}(?:[.\[][a-z_0-9.\[\]]{1,40})?")
"""A field of a request, and not just anything that a client has called so."""


@dataclass
class RequestRecord:
    """One request. Times are those of `perf_counter`, in seconds.

    Attributes:
        request_id: its `x-request-id`.
        method, path: of HTTP.
        arrived: when its head was there.
        status: what it was answered with; 0: nothing was sent yet.
        model: the model that was asked.
        streams: whether it wanted a stream.
        max_tokens: the most tokens that it wanted, if it said so.
        prompt_tokens, cached_tokens: of all its prompts; how many were found computed.
        completion_tokens: of all its samples.
        queued: when the engine's queue had it.
        begun: when the engine first ran it.
        is_view: whether it looks into the model by a route of foretell's own.
        is_probe: whether it asks how the server is, as some do every second.
        seed: what its tokens were drawn with.
        is_part_of_page: whether it fetches a part of the playground's page, which no line tells.
        first, last: when its first and its latest chunk came.
        gaps: the seconds between the tokens of each of its samples; of several that came at once,
            the mean.
        finish_reasons: of its samples that have ended.
        error: the message that it was answered with; it may have words of the client's.
        error_kind, error_param, error_code: what is told of an error that is the client's without
            such words.
        has_left: whether its client went before the end.
        prompt: what was asked, if that is to be logged.
    """

    request_id: str
    method: str = ""
    path: str = ""
    arrived: float = field(default_factory=perf_counter)
    status: int = 0
    model: str = ""
    streams: bool = False
    max_tokens: int | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    queued: float | None = None
    begun: float | None = None
    is_view: bool = False
    is_probe: bool = False
    seed: int | None = None
    is_part_of_page: bool = False
    first: float | None = None
    last: float | None = None
    gaps: list[float] = field(default_factory=list)
    finish_reasons: list[str] = field(default_factory=list)
    error: str | None = None
    error_kind: str | None = None
    error_param: str | None = None
    error_code: str | None = None
    has_left: bool = False
    prompt: str | None = None
    _latest: dict[tuple[int, int], float] = field(default_factory=dict, repr=False)

    def note_error(self, error: ApiError) -> None:
        """Take note of an error that was answered."""
        self.error = error.message
        if error.status < 500:
            self.error_kind, self.error_code = error.kind, error.code
            is_name = error.param is not None and _FIELD.fullmatch(error.param)
            self.error_param = error.param if is_name else None

    def note_chunks(self, chunks: Sequence[Chunk]) -> None:
        """Take note of chunks that have come at once."""
        now = perf_counter()
        self.first = self.first or now
        self.last = now
        numbers: dict[tuple[int, int], int] = {}
        for chunk in chunks:
            sample = (chunk.prompt_index, chunk.index)
            numbers[sample] = numbers.get(sample, 0) + len(chunk.token_ids)
        for sample, number in numbers.items():
            self.completion_tokens += number
            if not number:
                continue
            gaps = number if sample in self._latest else number - 1
            self.gaps += [(now - self._latest.get(sample, now)) / number] * gaps
            self._latest[sample] = now

    def note_end(self, output: GenerationOutput) -> None:
        """Take note of a sample that has ended now."""
        usage = output.usage
        self.finish_reasons.append(output.finish_reason)
        if output.index == 0:
            self.cached_tokens += usage.cached_tokens
        if self.streams:  # a stop in the text may have taken the last tokens
            self.completion_tokens += usage.completion_tokens - len(output.token_ids)
            return
        self.completion_tokens += usage.completion_tokens
        self.last = perf_counter()
        first = max(self.last - usage.decode_seconds, self.queued or self.arrived)
        self.first = first if self.first is None else min(self.first, first)
        number = usage.completion_tokens - 1
        if number > 0 and not isinstance(usage, SearchUsage):
            self.gaps += [usage.decode_seconds / number] * number
