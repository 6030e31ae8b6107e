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

MAX_PROMPT_ROWS = 64  # rows of prompt logits in one step, so that a long scored text fits in memory


@dataclass(frozen=True)
class Span:
    """Tokens `start:stop` of one request's sequence, to be computed in one step.

    `num_rows` counts the positions, from the end, whose logits are wanted.
    """

    state: RequestState
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
        self.pool.free(state.sequence.blocks)
        state.sequence.hold([])

    def schedule(self) -> list[Span]:
        """Let in what fits, and share out the next batch; never empty while there is work."""
        self._admit()
        decoding = [state for state in self._running if _is_decoding(state)]
        spans = [_span(state, 1) for state in decoding]
        budget = self._info.max_batch_tokens - len(spans)
        row_budget = MAX_PROMPT_ROWS
        for state in self._running:
            if _is_decoding(state):
                continue
            size = min(budget, row_budget if state.wants_prompt_rows else budget)
            if size > 0:
                spans.append(_span(state, size))
                budget -= spans[-1].stop - spans[-1].start
                row_budget -= spans[-1].num_rows
        return spans

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self._info.max_batch_tokens:
            needed = -(-self._waiting[0].max_length // self._info.block_size)
            if needed > self.pool.num_free:
                return
            self._waiting[0].sequence.hold(self.pool.allocate(needed))
            self._running.append(self._waiting.popleft())


def _is_decoding(state: RequestState) -> bool:
    return state.sequence.num_computed >= state.sequence.num_prompt_tokens


def _span(state: RequestState, max_tokens: int) -> Span:
    start = state.sequence.num_computed
    stop = min(start + max_tokens, len(state.sequence.tokens))
    if state.wants_prompt_rows:
        return Span(state, start, stop, num_rows=stop - start)
    return Span(state, start, stop, num_rows=int(stop == len(state.sequence.tokens)))
