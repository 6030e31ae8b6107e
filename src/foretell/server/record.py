"""What is noted of a request while it is answered, for its log line and the metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

from foretell.outputs import Usage


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
        first, last: when its first and its latest chunk came.
        gaps: the seconds between its chunks; of several that came at once, the mean.
        finish_reasons: of its samples that have ended.
        error: the message that it was answered with.
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
    first: float | None = None
    last: float | None = None
    gaps: list[float] = field(default_factory=list)
    finish_reasons: list[str] = field(default_factory=list)
    error: str | None = None
    has_left: bool = False
    prompt: str | None = None

    def note_chunks(self, number: int) -> None:
        """Take note that some chunks have come."""
        now = perf_counter()
        if self.last is None:
            self.first = self.last = now
            number -= 1
        self.gaps += [(now - self.last) / number] * number if number else ()
        self.last = now

    def note_output(self, usage: Usage) -> None:
        """Take note of a sample that was not followed chunk by chunk, and has ended now."""
        self.last = perf_counter()
        first = max(self.last - usage.decode_seconds, self.queued or self.arrived)
        self.first = first if self.first is None else min(self.first, first)
