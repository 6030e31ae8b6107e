"""Drafts by a second, smaller model with the same vocabulary, which decodes greedily.

It has a KV pool of its own. What it computed of tokens that were not drawn is overwritten.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence as Items
from time import perf_counter

import numpy as np

from foretell.backends.base import Backend, Batch
from foretell.config import GenerationConfig
from foretell.decoding.drafts.base import MAX_CHANCE, NO_DRAFT, Draft
from foretell.decoding.processors.base import History
from foretell.engine.blocks import BlockPool
from foretell.utils.arrays import Logits

CATCH_UP = 256  # tokens of prompts that are computed in one step: streams are not to stall
FIRST_CHANCE = 0.7
MEMORY = 32.0  # drafted tokens whose mean acceptance is taken
ROW_COST = 0.1  # of a verified row, in that of a step
TRIAL_EVERY = 32  # steps after which a sequence whose drafts do not pay is tried again


class DraftFollower:
    """A sequence as the draft model knows it.

    Attributes:
        tokens: the sequence's.
        computed: those that have their keys and values in `blocks`, drafts included.
        drafted: what was proposed last, behind `length` tokens.
        chance: how often its drafts are right.
    """

    def __init__(self, tokens: Items[int], pool: BlockPool) -> None:
        self.tokens = tokens
        self.computed: list[int] = []
        self.blocks: list[int] = []
        self.drafted: list[int] = []
        self.length = 0
        self.chance = FIRST_CHANCE
        self._weight = 4.0
        self._num_idle = 0
        weakref.finalize(self, _give_back, pool, self.blocks)

    def learn(self) -> None:
        """Hold what was proposed last against what came, and forget what was computed in vain."""
        came = self.tokens[self.length : self.length + len(self.drafted)]
        for ours, token in zip(self.drafted, came, strict=False):
            self._weight = min(MEMORY, self._weight + 1)
            self.chance += ((ours == token) - self.chance) / self._weight
            if ours != token:
                break
        last = len(self.tokens) - 1  # it is computed again: its logits are wanted
        known, most = min(self.length, last), min(len(self.computed), last)
        while known < most and self.computed[known] == self.tokens[known]:
            known += 1
        del self.computed[known:]
        self.drafted, self.length = [], len(self.tokens)

    def is_tried(self, cost: float) -> bool:
        """Whether a draft is made: where a token's chance is worth its cost, else now and then."""
        self._num_idle = 0 if self.chance > cost else self._num_idle + 1
        return self._num_idle % TRIAL_EVERY == 0


class DraftModel:
    """Proposes what its backend finds likeliest, token by token.

    Args:
        backend: runs the model.
        vocab_size: of the model that it drafts for.
    """

    def __init__(self, backend: Backend, vocab_size: int) -> None:
        self._backend = backend
        self._info = backend.info
        self._vocab_size = vocab_size
        self._pool = BlockPool(self._info.num_blocks, keeps=False)
        self._holders: weakref.WeakSet[DraftFollower] = weakref.WeakSet()
        self._seconds = 0.0  # of a pass that drafts a token for each of some sequences

    def follow(self, history: History, config: GenerationConfig) -> DraftFollower:
        """What the model knows of one sequence."""
        return DraftFollower(history.tokens, self._pool)

    def propose(
        self, followers: Items[DraftFollower], most: int, step_seconds: float
    ) -> list[Draft]:
        """Greedy continuations, as long as the next token is likely to be worth its cost."""
        cost = self._cost(step_seconds)
        ready, budget = [], CATCH_UP
        for follower in followers:
            follower.learn()
            if budget > 0 and follower.is_tried(cost) and self._has_room(follower, most, followers):
                budget -= self._catch_up(follower, budget)
                if len(follower.computed) == len(follower.tokens) - 1:
                    ready.append(follower)
        if ready:
            self._draft(ready, self._length(ready, most, cost))
        return [
            Draft(one.drafted, [min(MAX_CHANCE, one.chance)] * len(one.drafted))
            if one.drafted
            else NO_DRAFT
            for one in followers
        ]

    def _cost(self, step_seconds: float) -> float:
        """What a drafted and verified token costs, in that of a step."""
        return ROW_COST + (min(1.0, self._seconds / step_seconds) if step_seconds else 0.0)

    def _length(self, ready: Items[DraftFollower], most: int, cost: float) -> int:
        """Tokens to draft: one more pays if (E + p) / (C + cost) > E / C."""
        chance = max(follower.chance for follower in ready)
        length, passed, gain, spent = 1, chance, 1 + chance, 1 + cost
        while length < most and passed * chance > cost * gain / spent:
            passed *= chance
            length, gain, spent = length + 1, gain + passed, spent + cost
        return length

    def _draft(self, ready: Items[DraftFollower], length: int) -> None:
        started = perf_counter()
        for _ in range(length):
            inputs = [(*one.tokens[-1:], *one.drafted)[-1:] for one in ready]
            logits = self._forward(ready, inputs)
            for follower, row in zip(ready, logits, strict=True):
                follower.drafted.append(int(row[: self._vocab_size].argmax()))
        took = (perf_counter() - started) / length
        self._seconds = 0.8 * self._seconds + 0.2 * took if self._seconds else took

    def _catch_up(self, follower: DraftFollower, budget: int) -> int:
        """Compute tokens that were drawn, but for the last; the number of these."""
        start = len(follower.computed)
        stop = min(len(follower.tokens) - 1, start + budget)
        while (at := len(follower.computed)) < stop:
            chunk = follower.tokens[at : min(stop, at + self._info.max_batch_tokens)]
            self._forward([follower], [chunk])
        return stop - start

    def _forward(self, followers: Items[DraftFollower], inputs: Items[Items[int]]) -> Logits:
        """Compute these tokens behind what is computed of each; a row for the last of each."""
        size = self._info.block_size
        ends = np.cumsum([0, *(len(tokens) for tokens in inputs)]).astype(np.int32)
        positions = [
            np.arange(len(one.computed), len(one.computed) + len(tokens))
            for one, tokens in zip(followers, inputs, strict=True)
        ]
        for one, tokens in zip(followers, inputs, strict=True):
            one.computed += tokens
        width = max(-(-len(one.computed) // size) for one in followers)
        tables = np.zeros((len(followers), width), dtype=np.int32)
        for table, one in zip(tables, followers, strict=True):
            held = one.blocks[:width]
            table[: len(held)] = held
        return self._backend.forward(
            Batch(
                tokens=np.concatenate([np.array(tokens, np.int32) for tokens in inputs]),
                positions=np.concatenate(positions).astype(np.int32),
                starts=ends,
                block_tables=tables,
                logits_indices=ends[1:] - 1,
            )
        )

    # Blocks

    def _has_room(self, follower: DraftFollower, most: int, others: Items[DraftFollower]) -> bool:
        """Give it the blocks for a draft, if need be those of sequences that are idle now."""
        length = len(follower.tokens) + most
        if length > self._info.context_length:
            return False
        missing = -(-length // self._info.block_size) - len(follower.blocks)
        if missing > self._pool.num_free:
            for idle in [one for one in self._holders if one not in others]:
                self._drop(idle)
        if missing > self._pool.num_free:
            return False
        if missing > 0:
            follower.blocks += self._pool.allocate(missing)
            self._holders.add(follower)
        return True

    def _drop(self, follower: DraftFollower) -> None:
        """Take its blocks: what it holds is to be computed anew."""
        _give_back(self._pool, follower.blocks)
        follower.computed.clear()


def _give_back(pool: BlockPool, blocks: list[int]) -> None:
    pool.free(blocks)
    blocks.clear()
