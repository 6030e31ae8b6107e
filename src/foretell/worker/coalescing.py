"""Chunks that their reader has not taken yet.

The engine does not wait for readers, and its memory must not grow for one that is slow: past its
capacity a queue makes longer chunks, not more. What it holds is then no more than the output.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from foretell.outputs import Chunk, LogprobStage, TokenLogprob

CAPACITY = 16  # chunks of a token each that wait as they are

Sample = tuple[int, int]
"""Whose chunk it is: the prompt's index, and the sample of it."""


class CoalescingQueue:
    """A queue of chunks: at most `capacity`, or one for each sample if these are more.

    When it is full, a chunk is joined to the last one of its sample. Texts, token ids,
    log-probabilities and traces stay whole and in order; `start_byte` and the prompt's
    log-probabilities are those of the first part.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._entries: deque[_Joined] = deque()
        self._last: dict[Sample, _Joined] = {}  # of each sample in the queue

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, chunk: Chunk) -> None:
        """Queue a chunk, as its own or as part of the last of its sample."""
        sample = _sample_of(chunk)
        last = self._last.get(sample)
        if last is not None and len(self._entries) >= self._capacity:
            last.add(chunk)
            return
        self._last[sample] = _Joined(chunk)
        self._entries.append(self._last[sample])

    def popleft(self) -> Chunk:
        """Take the oldest chunk out; IndexError if there is none."""
        entry = self._entries.popleft()
        chunk = entry.chunk()
        if self._last.get(_sample_of(chunk)) is entry:
            del self._last[_sample_of(chunk)]
        return chunk


class _Joined:
    """One chunk, or several of one sample that follow each other."""

    __slots__ = ("_by_stage", "_first", "_latest", "_logprobs", "_texts", "_token_ids", "_trace")

    def __init__(self, first: Chunk) -> None:
        self._first = self._latest = first

    def add(self, chunk: Chunk) -> None:
        """Take in the chunk that follows."""
        if self._latest is self._first:
            self._unfold()
        self._latest = chunk
        self._texts.append(chunk.text)
        self._token_ids += chunk.token_ids
        self._logprobs += chunk.logprobs or ()
        for stage, entries in (chunk.logprobs_by_stage or {}).items():
            self._by_stage[stage] += entries
        self._trace += chunk.trace or ()

    def _unfold(self) -> None:
        """Copy what the first chunk has, for the next to be added; most chunks stay alone."""
        first = self._first
        self._texts = [first.text]
        self._token_ids = list(first.token_ids)
        self._logprobs = list(first.logprobs or ())
        self._by_stage = _copy(first.logprobs_by_stage)
        self._trace = list(first.trace or ())

    def chunk(self) -> Chunk:
        """All of it as one chunk; what only a last chunk has is the latest's."""
        if self._latest is self._first:
            return self._first
        return replace(
            self._latest,
            text="".join(self._texts),
            token_ids=self._token_ids,
            start_byte=self._first.start_byte,
            logprobs=None if self._latest.logprobs is None else self._logprobs,
            logprobs_by_stage=None if self._latest.logprobs_by_stage is None else self._by_stage,
            trace=None if self._latest.trace is None else self._trace,
            prompt_logprobs=self._first.prompt_logprobs,
        )


def _sample_of(chunk: Chunk) -> Sample:
    return (chunk.prompt_index, chunk.index)


def _copy(
    by_stage: dict[LogprobStage, list[TokenLogprob]] | None,
) -> dict[LogprobStage, list[TokenLogprob]]:
    return {stage: list(entries) for stage, entries in (by_stage or {}).items()}
