"""Counts of what was served, under the names that dashboards know, for Prometheus.

While requests are served there are lists of numbers only. Each metric is told twice, by
`exposition.py`: as `vllm:…` and as `foretell:…`.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from time import perf_counter
from typing import NamedTuple

from foretell.async_llm import AsyncLLM
from foretell.engine.stats import EngineStats
from foretell.server.record import RequestRecord

STATS_TIMEOUT = 2.0
"""Seconds that the engine has to answer between two steps; else its last answer is told again."""


def _one_two_five(low: int, high: int) -> tuple[float, ...]:
    """1, 2, 5, 10, 20, … times ten to powers from `low` to below `high`."""
    return tuple(float(f"{digit}e{power}") for power in range(low, high) for digit in (1, 2, 5))


SECONDS = _one_two_five(-3, 3)
TOKENS = _one_two_five(0, 6)


class Seen(NamedTuple):
    """A value, in which request it was seen, and when, in seconds since 1970."""

    request_id: str
    value: float
    when: float


class Histogram:
    """How many values lie in each bucket; a bucket remembers a request, as an exemplar."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.exemplars: dict[int, Seen] = {}

    def observe(self, values: Sequence[float], request_id: str) -> None:
        """Count values, and remember the request that the last one was seen in."""
        bucket = 0
        for value in values:
            bucket = bisect_left(self.bounds, value)
            self.counts[bucket] += 1
        if values:
            self.total += sum(values)
            self.exemplars[bucket] = Seen(request_id, values[-1], time.time())


class Metrics:
    """What was counted since the server began."""

    def __init__(self) -> None:
        self.histograms = {name: Histogram(bounds) for name, (bounds, _) in HISTOGRAMS.items()}
        self.finish_reasons: Counter[str] = Counter(
            {"stop": 0, "length": 0, "abort": 0, "error": 0}
        )
        self.statuses: Counter[int] = Counter()
        self.stats: EngineStats | None = None

    def note(self, record: RequestRecord) -> None:
        """Count a request that has ended just now."""
        self.statuses[record.status] += 1
        has_run = record.queued is not None or record.prompt_tokens > 0
        if has_run or (record.is_view and record.has_left):
            self._note_end(record)
        if not has_run:
            return
        for name, value in _values_of(record):
            self.histograms[name].observe([value], record.request_id)
        self.histograms["inter_token_latency_seconds"].observe(record.gaps, record.request_id)

    def _note_end(self, record: RequestRecord) -> None:
        self.finish_reasons.update(record.finish_reasons)
        if record.has_left:
            self.finish_reasons["abort"] += 1
        elif record.error is not None:
            self.finish_reasons["error"] += 1

    async def ask(self, llm: AsyncLLM) -> None:
        """Ask the engine, if there is one; its last answer stays where it gives none."""
        with suppress(Exception):  # whatever ended the engine
            self.stats = await asyncio.wait_for(llm.stats(), STATS_TIMEOUT)


def _values_of(record: RequestRecord) -> Iterator[tuple[str, float]]:
    """What the histograms get of one request."""
    yield "e2e_request_latency_seconds", perf_counter() - record.arrived
    if record.begun is not None:
        yield "request_queue_time_seconds", record.begun - record.arrived
    yield "request_prompt_tokens", record.prompt_tokens
    yield "request_generation_tokens", record.completion_tokens
    if record.max_tokens is not None:
        yield "request_max_num_generation_tokens", record.max_tokens
    if record.first is not None and record.last is not None:
        yield "time_to_first_token_seconds", record.first - record.arrived
        if record.begun is not None:
            yield "request_prefill_time_seconds", max(0.0, record.first - record.begun)
        yield "request_decode_time_seconds", record.last - record.first


HISTOGRAMS = {
    "time_to_first_token_seconds": (SECONDS, "From a request's arrival to its first token."),
    "inter_token_latency_seconds": (SECONDS, "Between the tokens of a text."),
    "e2e_request_latency_seconds": (SECONDS, "From a request's arrival to the end of its answer."),
    "request_queue_time_seconds": (SECONDS, "From a request's arrival until it is first run."),
    "request_prefill_time_seconds": (SECONDS, "From there to the first token."),
    "request_decode_time_seconds": (SECONDS, "From the first token to the last."),
    "request_prompt_tokens": (TOKENS, "Prompt tokens of a request."),
    "request_generation_tokens": (TOKENS, "Generated tokens of a request."),
    "request_max_num_generation_tokens": (TOKENS, "Most tokens that a request asked for."),
}
"""Names, the bounds of their buckets, and what is measured."""
