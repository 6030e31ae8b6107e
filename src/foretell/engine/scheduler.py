"""What runs in the next step (row 3 of the design): waiting and running requests → spans.

First come, first served. A request is let in when all blocks that it may come to need are free, so
nothing that runs ever has to make way. In a step, each decoding sequence has its one token; what is
left of the batch goes to the prompts, in order, a chunk each.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from foretell.backends.base import BackendInfo
from foretell.engine.blocks import BlockPool
from foretell.engine.request import RequestState
from foretell.engine.sequence import Sequence

MAX_PROMPT_ROWS = 64  # rows of prompt logits in one step, so that a long scored text fits in memory


@dataclass(frozen=True)
class Span:
    """Tokens `start:stop` of one of a request's sequences, to be computed in one step.

    `num_rows` counts the positions, from the end, whose logits are wanted.
    """

    state: RequestState
    sequence: Sequence
    start: int
    stop: int
    num_rows: int


class Scheduler:
    """Keeps the requests that wait and run, and their blocks."""

    def __init__(self, info: BackendInfo) -> None:
        self._info = info
        self._waiting: deque[RequestState] = deque()
        self._running: list[RequestState] = []
        self.pool = BlockPool(info.num_blocks)

    @property
    def has_work(self) -> bool:
        """Whether any request waits or runs."""
        return bool(self._waiting or self._running)

    @property
    def running(self) -> tuple[RequestState, ...]:
        """The requests that hold blocks."""
        return tuple(self._running)

    def add(self, state: RequestState) -> None:
        """Queue a request behind those that wait."""
        self._waiting.append(state)

    def remove(self, state: RequestState) -> None:
        """Forget a request, waiting or running, and free its blocks."""
        if state in self._running:
            self._running.remove(state)
        else:
            self._waiting.remove(state)
        for sequence in state.sequences:
            self.pool.free(sequence.blocks)
            sequence.hold([])

    def schedule(self) -> list[Span]:
        """Let in what fits, and share out the next batch; never empty while there is work."""
        self._admit()
        pending = [
            (state, sequence)
            for state in self._running
            for sequence in state.sequences
            if sequence.num_pending  # a row that waits for another sequence's has none
        ]
        spans = [_span(*pair, 1) for pair in pending if pair[1].is_decoding]
        budget = self._info.max_batch_tokens - len(spans)
        row_budget = MAX_PROMPT_ROWS
        for state, sequence in pending:
            if sequence.is_decoding:
                continue
            size = min(budget, row_budget if state.wants_prompt_rows(sequence) else budget)
            if size > 0:
                spans.append(_span(state, sequence, size))
                budget -= spans[-1].stop - spans[-1].start
                row_budget -= spans[-1].num_rows
        return spans

    def _admit(self) -> None:
        while self._waiting and self._has_room(self._waiting[0]):
            state = self._waiting.popleft()
            for sequence, length in zip(state.sequences, state.max_lengths, strict=True):
                sequence.hold(self.pool.allocate(-(-length // self._info.block_size)))
            self._running.append(state)

    def _has_room(self, state: RequestState) -> bool:
        num_running = sum(len(running.sequences) for running in self._running)
        needed = sum(-(-length // self._info.block_size) for length in state.max_lengths)
        fits_batch = num_running + len(state.sequences) <= self._info.max_batch_tokens
        return fits_batch and needed <= self.pool.num_free


def _span(state: RequestState, sequence: Sequence, max_tokens: int) -> Span:
    start = sequence.num_computed
    stop = min(start + max_tokens, len(sequence.tokens))
    if state.wants_prompt_rows(sequence):
        return Span(state, sequence, start, stop, num_rows=stop - start)
    return Span(state, sequence, start, stop, num_rows=int(stop == len(sequence.tokens)))
