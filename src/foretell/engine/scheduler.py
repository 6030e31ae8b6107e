"""What runs in the next step: waiting and running requests → spans.

In a step each decoding sequence has its one token; what is left of the batch goes to prompts, a
chunk each. Beside running streams the chunks are small, so that no stream stalls.

KV blocks are taken as they are needed. Where there are none left, the request that came last is
preempted: it gives back its blocks and waits, and is computed again later. The order is that of
priority, then of arrival. Waiting requests are admitted by it; for them less important requests are
preempted, if that is enough.
"""

from __future__ import annotations

import hashlib
import heapq
from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType
from typing import NamedTuple

from foretell.backends.base import BackendInfo
from foretell.engine.blocks import BlockPool
from foretell.engine.request_state import RequestState
from foretell.engine.sequence import Sequence
from foretell.engine.settings import EngineSettings
from foretell.engine.speculation import Guess, Speculator
from foretell.engine.stats import Meter
from foretell.engine.step_plan import Span, StepPlan

MAX_PROMPT_ROWS = 64  # rows of prompt logits in one step, so that a long scored text fits in memory

# Beside decoding sequences prompts may cost as much in one step as the backend bears, and this many
# tokens more for each of these, a token counting more the more positions it attends to. A step then
# takes about two to three times as long as without them.
PROMPT_TOKENS_BESIDE_EACH = 1


@dataclass
class _Demand:
    """Sequences that run, and the free blocks that they take up to their next tokens."""

    sequences: int = 0
    blocks: int = 0

    def add(self, sequences: int, blocks: int) -> None:
        self.sequences += sequences
        self.blocks += blocks


class _Prefill(NamedTuple):
    """A sequence with more than a token to compute."""

    state: RequestState
    sequence: Sequence


RefCounts = Mapping[int, int]
"""How many sequences refer to each block, by block."""

NO_REFS: RefCounts = MappingProxyType({})


class Scheduler:
    """Keeps the requests that wait and run, and their blocks."""

    def __init__(
        self, info: BackendInfo, settings: EngineSettings, meter: Meter, speculator: Speculator
    ) -> None:
        self._made_of = (info, settings, meter, speculator)
        self._block_size = info.block_size
        self._attention_span = info.attention_span
        self._prompt_tokens_beside = info.prompt_tokens_beside
        most = info.max_batch_tokens
        self._batch_tokens = min(most, settings.max_batch_tokens or most)
        self.max_running = min(settings.max_running, self._batch_tokens)
        self._shares = settings.prefix_caching
        self._root = hashlib.blake2b(f"{info.name} {info.description}".encode()).digest()
        self._meter = meter
        self._speculator = speculator
        self._is_exact = info.is_exact
        self._can_go_back = info.can_go_back
        self._looks_ahead = speculator.guesses  # or if a strategy of a request that came does
        self._queue: list[tuple[int, int]] = []  # a heap of ranks, with those of some that left
        self._waiting: dict[int, RequestState] = {}
        self._running: list[RequestState] = []  # by rank
        self._plan = StepPlan()
        self._demand: _Demand | None = None  # of those that run, until one is preempted
        self.pool = BlockPool(info.num_blocks, keeps=settings.prefix_caching)
        self.preemptions = 0

    @property
    def running(self) -> tuple[RequestState, ...]:
        """The requests that may hold blocks."""
        return tuple(self._running)

    @property
    def num_waiting(self) -> int:
        """Requests that wait to run, or to run again."""
        return len(self._waiting)

    def emptied(self) -> Scheduler:
        """A new one in its stead, without requests, whose blocks are all free."""
        new = Scheduler(*self._made_of)
        new.preemptions = self.preemptions
        return new

    def prefix_keys(self, tokens: Items[int]) -> Items[bytes]:
        """The keys by which requests that begin with these tokens find their full blocks."""
        return Sequence(0, tokens).keys(self._root, self._block_size)

    def is_waiting(self, state: RequestState) -> bool:
        """Whether a request waits, and holds no blocks."""
        has_blocks = any(sequence.blocks for sequence in state.live)
        return state.id in self._waiting and not has_blocks

    def add(self, state: RequestState) -> None:
        """Queue a request."""
        if state.strategy.foresight is not None and self._is_exact:
            self._looks_ahead = True
        self._waiting[state.id] = state
        heapq.heappush(self._queue, state.rank)

    def remove(self, state: RequestState) -> None:
        """Forget a request, waiting or running, and free its blocks."""
        if state.id in self._waiting:
            del self._waiting[state.id]
        else:
            self._running.remove(state)
        for sequence in state.live:
            self.release(sequence)

    def release(self, sequence: Sequence) -> None:
        """Free a sequence's blocks, and what a drafter holds for it."""
        self.pool.free(sequence.drop_blocks())
        sequence.follower = None

    def fork(self, sequence: Sequence, index: int) -> Sequence:
        """A sequence with the same past, which shares its blocks."""
        self.pool.share(sequence.blocks)
        return sequence.fork(index)

    def schedule(self) -> StepPlan:
        """Admit what fits, and share out the next batch; has spans while there is work."""
        self._plan = StepPlan()
        has_prefills = self._decode()
        self._demand = None
        if self._waiting:
            self._admit()
            has_prefills = True
        if has_prefills:
            self._prefill()
        if self._looks_ahead:
            spans = self._plan.spans
            guesses = self._speculator.choose(spans, self._batch_tokens)
            if guesses:
                self._add_drafts(guesses)
        return self._plan

    def note_computed(self, state: RequestState, sequence: Sequence, stop: int) -> None:
        """A sequence's tokens are computed up to `stop`: others can find its full blocks."""
        start, size = sequence.num_computed, self._block_size
        sequence.num_computed = stop
        if sequence.num_reached < sequence.num_prompt_tokens:
            self._count_reached(state, sequence, stop, was_cached=False)
        for index in range(start // size, stop // size):
            self.pool.name(sequence.blocks[index], self._keys(state, sequence)[index])

    def rewind(self, sequence: Sequence) -> None:
        """Let its last token be computed again, with what a state needs for that: its block."""
        sequence.num_computed -= 1
        if not self._can_go_back:
            num_full = sequence.num_computed // self._block_size
            self.pool.free(sequence.cut_blocks(num_full))
            sequence.num_computed = num_full * self._block_size

    def drop_ahead(self, sequence: Sequence) -> None:
        """Free the blocks that hold nothing but drafts that were not drawn."""
        num_blocks = -(-sequence.num_computed // self._block_size)
        self.pool.free(sequence.cut_blocks(num_blocks))

    def _keys(self, state: RequestState, sequence: Sequence) -> Items[bytes]:
        """Keys of a sequence's full blocks; without prefix caching, a request has its own."""
        root = self._root if self._shares else self._root + str(state.id).encode()
        return sequence.keys(root, self._block_size)

    # Decoding

    def _decode(self) -> bool:
        """Plan the decoding sequences' tokens; whether any running sequence is not decoding."""
        has_others = False
        for state in [*self._running]:
            for sequence in state.live:
                computed = sequence.num_computed  # `is_decoding`, in line: each token comes by here
                if not len(sequence.tokens) - 1 == computed >= sequence.num_prompt_tokens:
                    has_others = True
                elif state.id not in self._waiting:  # it was not preempted in this step
                    self._add_span(state, sequence, 1)
        return has_others

    def _add_span(self, state: RequestState, sequence: Sequence, size: int) -> int:
        """Plan the next tokens of a sequence, if there are blocks for them; the number of these."""
        start = sequence.num_computed
        stop = min(start + size, len(sequence.tokens))
        if not self._reserve_blocks(state, sequence, stop):
            return 0
        num_rows = int(stop == len(sequence.tokens))
        is_reported = (
            state.looks_at_prompt
            and start < sequence.num_prompt_tokens
            and state.wants_prompt_rows(sequence)
        )
        if is_reported:
            num_rows = max(num_rows, stop - max(start, state.num_reported), 0)
        self._plan.spans.append(Span(state, sequence, start, stop, num_rows, is_reported))
        return stop - start

    # Drafts

    def _add_drafts(self, guesses: Items[Guess]) -> None:
        """Plan drafts behind tokens, as far as blocks are empty.

        They come last and take nothing from anybody: no block that holds a prefix, and none that
        another would have had.
        """
        spans = self._plan.spans
        for guess in guesses:
            tokens = self._place(guess)
            for number in guess.spans if tokens else ():
                span = spans[number]
                spans[number] = span._replace(num_rows=1 + len(tokens), drafts=tokens)
                span.sequence.num_drafts = len(tokens)
                self._plan.has_drafts = True

    def _place(self, guess: Guess) -> Items[int]:
        """The tokens of a guess for which there are blocks; these are taken."""
        owners = [self._plan.spans[number] for number in guess.spans]
        for count in range(guess.count, 0, -1):
            needs = [
                -(-(span.stop + count) // self._block_size) - len(span.sequence.blocks)
                for span in owners
            ]
            if sum(needs) <= self.pool.num_empty:
                for span, need in zip(owners, needs, strict=True):
                    if need:
                        span.sequence.add_blocks(self.pool.allocate(need))
                return guess.draft.tokens[:count]
        return ()

    # Blocks

    def _reserve_blocks(self, state: RequestState, sequence: Sequence, stop: int) -> bool:
        """Give a sequence the blocks to write up to `stop`; False if it was preempted itself."""
        num_blocks = -(-stop // self._block_size)
        is_shared = self._writes_shared_block(sequence)
        while missing := num_blocks - len(sequence.blocks) + is_shared:
            if missing <= self.pool.num_free:
                break
            last = self._running[-1]
            self._preempt(last)
            if last is state:
                return False
            is_shared = self._writes_shared_block(sequence)
        if is_shared:
            self._copy_shared_block(sequence)
            missing -= 1
        if missing:
            sequence.add_blocks(self.pool.allocate(missing))
        return True

    def _copy_shared_block(self, sequence: Sequence) -> None:
        """Copy on write: from here on the sequence differs from those that share its last block."""
        index = sequence.num_computed // self._block_size
        source, (copy,) = sequence.blocks[index], self.pool.allocate(1)
        self._plan.copies.append((source, copy))
        sequence.replace_block(index, copy)
        self.pool.free([source])

    def _writes_shared_block(self, sequence: Sequence) -> bool:
        index = sequence.num_computed // self._block_size
        if index >= len(sequence.blocks):
            return False
        return self.pool.ref_count(sequence.blocks[index]) > 1

    def _preempt(self, state: RequestState) -> None:
        """Take a running request's blocks; it waits to be computed again."""
        self._running.remove(state)
        for sequence in state.live:
            self.release(sequence)
        state.preempt()
        self._demand = None
        self._plan.spans = [span for span in self._plan.spans if span.state is not state]
        self.add(state)
        self.preemptions += 1

    # Admission

    def _admit(self) -> None:
        while self._waiting:
            state = self._first_waiting()
            if not self._has_room(state):
                if not self._can_displace(state):
                    return
                while not self._has_room(state):
                    self._preempt(self._running[-1])
            heapq.heappop(self._queue)
            del self._waiting[state.id]
            if state.begun is None:
                state.begun = perf_counter()
            insort(self._running, state, key=lambda running: running.rank)
            if self._demand is not None:
                self._demand.add(state.num_sequences, self._num_blocks_ahead(state))

    def _first_waiting(self) -> RequestState:
        while self._queue[0][1] not in self._waiting:
            heapq.heappop(self._queue)
        return self._waiting[self._queue[0][1]]

    def _can_displace(self, state: RequestState) -> bool:
        """Whether it has room without those of less importance, not only of later arrival."""
        priority = state.request.priority
        staying = [one for one in self._running if one.request.priority <= priority]
        leaving = self._running[len(staying) :]
        if not leaving or not staying:
            return bool(leaving)
        gone = Counter(block for one in leaving for own in one.live for block in own.blocks)
        num_freed = sum(self.pool.ref_count(block) == count for block, count in gone.items())
        demand = self._demand_of([*staying, state], gone)
        may_run = demand.sequences <= self.max_running
        return may_run and demand.blocks <= self.pool.num_free + num_freed

    def _has_room(self, state: RequestState) -> bool:
        """Whether a request can run up to its next token, as well as all those that run."""
        if not self._running:
            return True
        if self._demand is None:
            self._demand = self._demand_of(self._running)
        if self._demand.sequences + state.num_sequences > self.max_running:
            return False
        return self._demand.blocks + self._num_blocks_ahead(state) <= self.pool.num_free

    def _demand_of(self, states: Items[RequestState], gone: RefCounts = NO_REFS) -> _Demand:
        demand = _Demand()
        for state in states:
            demand.add(state.num_sequences, self._num_blocks_ahead(state, gone))
        return demand

    def _num_blocks_ahead(self, state: RequestState, gone: RefCounts = NO_REFS) -> int:
        """Free blocks that a request takes up to its next token, once `gone` are held no more."""
        num_new = state.num_sequences - len(state.live)  # each fork copies the block it writes to
        for sequence in state.live:
            num_new += -(-(len(sequence.tokens) + 1) // self._block_size) - len(sequence.blocks)
            if not sequence.is_decoding:
                num_new -= self._num_held_by_others(state, sequence, gone)
        return num_new

    def _num_held_by_others(self, state: RequestState, sequence: Sequence, gone: RefCounts) -> int:
        """Blocks that it need not take, since others hold them already."""
        keys = self._keys(state, sequence)
        ahead = keys[len(sequence.blocks) : self._num_reusable(state, sequence)]
        found = [block for key in ahead if (block := self.pool.find(key)) is not None]
        return sum(self.pool.ref_count(block) > gone.get(block, 0) for block in found)

    # Prompts, and what is computed again

    def _prefill(self) -> None:
        row_budget = MAX_PROMPT_ROWS
        for (state, sequence), share in self._prompt_shares():
            if state.id in self._waiting:  # it was preempted in this step
                continue
            wants_rows = state.looks_at_prompt and state.wants_prompt_rows(sequence)
            size = share
            if wants_rows:
                without_rows = max(0, state.num_reported - sequence.num_computed)
                size = min(share, without_rows + row_budget)
            if size and self._add_span(state, sequence, size) and wants_rows:
                row_budget -= self._plan.spans[-1].num_rows

    def _prompt_shares(self) -> Iterator[tuple[_Prefill, int]]:
        """How many tokens of each prompt are computed in this step."""
        prefills = [*self._prefills()]
        num_decoding = len(self._plan.spans)
        budget = self._batch_tokens - num_decoding
        if not num_decoding:
            return _shares(prefills, budget, lambda sequence: 1.0)
        most = self._prompt_tokens_beside + PROMPT_TOKENS_BESIDE_EACH * num_decoding
        return _shares(prefills, min(budget, most), self._cost_beside)

    def _cost_beside(self, sequence: Sequence) -> float:
        """What a prompt's next token counts for, in tokens at its beginning.

        Attention counts for half of its cost: with all of it, streams would be as smooth at the end
        of a long prompt as at its beginning, but the prompt would take twice as long.
        """
        span = self._attention_span
        return 1 + sequence.num_computed / (2 * span) if span else 1.0

    def _prefills(self) -> Iterator[_Prefill]:
        """The sequences with more than a token to compute, by rank.

        Each first takes the blocks that others have computed. One whose next block an earlier one
        is about to compute waits for it.
        """
        claimed: set[bytes] = set()
        for state in self._running:
            for sequence in state.live:
                if not sequence.num_pending or sequence.is_decoding:
                    continue
                self._reuse_cached(state, sequence)
                next_block = sequence.num_computed // self._block_size
                keys = self._keys(state, sequence)[next_block:]
                waits = next_block < self._num_reusable(state, sequence) and keys[0] in claimed
                claimed.update(keys)
                if not waits:
                    yield _Prefill(state, sequence)

    def _num_reusable(self, state: RequestState, sequence: Sequence) -> int:
        """Full blocks that need not be computed: the last token's logits must be, at least.

        While prompt log-probabilities are outstanding, no block may be reused past the last
        reported position; where the strategy looks at hidden states, past the last one seen.
        """
        last = len(sequence.tokens) - 1
        if state.looks_at_prompt and state.wants_prompt_rows(sequence):
            last = state.num_reported
        if state.strategy.states is not None and state.strategy.states.hidden:
            last = min(last, state.num_seen)
        return last // self._block_size

    def _reuse_cached(self, state: RequestState, sequence: Sequence) -> None:
        """Share the blocks that hold the sequence's next tokens already."""
        size = self._block_size
        if sequence.num_computed % size:
            return
        keys = self._keys(state, sequence)
        for index in range(sequence.num_computed // size, self._num_reusable(state, sequence)):
            block = self.pool.take(keys[index])
            if block is None:
                return
            sequence.add_blocks([block])
            sequence.num_computed += size
            self._count_reached(state, sequence, sequence.num_computed, was_cached=True)

    def _count_reached(
        self, state: RequestState, sequence: Sequence, stop: int, *, was_cached: bool
    ) -> None:
        """Count the prompt tokens up to `stop` that are reached for the first time."""
        num_new = min(stop, sequence.num_prompt_tokens) - sequence.num_reached
        if num_new <= 0:
            return
        sequence.num_reached += num_new
        self._meter.prompt_tokens += num_new
        if was_cached:
            self._meter.cached_tokens += num_new
            state.cached_tokens += num_new if sequence.is_visible else 0


def _shares(
    prefills: list[_Prefill], budget: float, cost: Callable[[Sequence], float]
) -> Iterator[tuple[_Prefill, int]]:
    """How many tokens each gets: the first most of them, then the shortest, so that it ends.

    A quarter is kept for those behind the first, which would else wait for all of a long prompt.
    The first has a token at least.
    """
    rest = sorted(prefills[1:], key=lambda prefill: prefill.sequence.num_pending)
    kept = min(budget // 4, sum(sequence.num_pending for _, sequence in rest))
    for rank, prefill in enumerate([*prefills[:1], *rest]):
        each = cost(prefill.sequence)
        num_pending = prefill.sequence.num_pending
        size = int((budget - (0 if rank else kept)) / each)
        size = min(num_pending, size if rank else max(1, size))
        if size > 0:
            yield prefill, size
            budget -= size * each
