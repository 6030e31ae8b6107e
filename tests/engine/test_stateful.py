"""Whatever happens to an engine, in any order: its books balance, and every answer is right."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.engine_oracle import VOCAB, answer_by_hand, scripted

from benchmarks.stress.answers import Answer, request, take
from benchmarks.stress.prompter import Prompter
from foretell.backends.scripted import ScriptedBackend
from foretell.engine.engine import Engine
from foretell.engine.settings import EngineSettings
from foretell.errors import RequestError

BASES = ([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3], [1, 2, 3, 4, 9, 9, 9, 9, 1, 1, 1], [7] * 10)
PROMPT = st.builds(
    lambda base, length, rest: [*base[:length], *rest],
    st.sampled_from(BASES),
    st.integers(0, 12),
    st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=5),
)
CHOICE = st.sampled_from(
    [
        {},
        {"temperature": 0.8, "num_return_sequences": 2},
        {"temperature": 1.5, "num_return_sequences": 3, "repetition_penalty": 1.2},
        {"mirostat": 2, "num_return_sequences": 2, "logprobs": 0},
        {"top_k": 4, "logprobs": 1, "logprobs_stage": ("raw", "final")},
    ]
)
WISH = st.fixed_dictionaries(
    {
        "prompt": PROMPT,
        "choice": CHOICE,
        "negative_prompt": st.one_of(st.none(), PROMPT),
        "prompt_logprobs": st.sampled_from([None, None, 0, 2]),
        "priority": st.integers(0, 2),
        "max_new_tokens": st.integers(1, 9),
        "seed": st.integers(0, 3),
        "eos_token_ids": st.sampled_from([frozenset(), frozenset({3, 5})]),
    }
)


def request_of(wish):
    others = {**wish}
    prompt, choice = others.pop("prompt"), others.pop("choice")
    guidance = {} if wish["negative_prompt"] is None else {"guidance_scale": 1.5}
    return request(prompt, **others, **choice, **guidance)


class Fragile(ScriptedBackend):
    """Fails when it is told to, before or after it has written into the blocks."""

    fails = None

    def forward(self, batch):
        fails, self.fails = self.fails, None
        if fails == "before":
            raise RuntimeError("the step was not run")
        logits = super().forward(batch)
        if fails == "after":
            raise RuntimeError("the step's logits are lost")
        return logits


class Company(RuleBasedStateMachine):
    """Requests of all kinds come and are given up, and steps fail."""

    @initialize(
        sizes=st.fixed_dictionaries(
            {"num_blocks": st.integers(6, 40), "block_size": st.integers(1, 5)}
        ),
        batch=st.integers(2, 40),
        running=st.integers(2, 12),
        caching=st.booleans(),
        errors=st.sampled_from([None, 0.0, 0.2, 0.7]),
    )
    def open(self, sizes, batch, running, caching, errors):
        self.backend = Fragile(scripted()._script, vocab_size=VOCAB, **sizes)
        limits = EngineSettings(batch, max_running=running, prefix_caching=caching)
        self.prompter = None if errors is None else Prompter(VOCAB, errors=errors)
        self.engine = Engine(self.backend, limits, self.prompter)
        self.limits = limits
        self.wishes, self.answers, self.aborted, self.failed = {}, {}, set(), set()
        self.seen = {}  # every sequence that ever was, and its request

    @rule(wish=WISH)
    def add(self, wish):
        wanted = request_of(wish)
        try:
            identity = self.engine.add(wanted)
        except RequestError:
            with pytest.raises(RequestError):
                self.engine.check(wanted)
            return
        self.wishes[identity] = wanted
        self.answers[identity] = Answer()
        if self.prompter is not None:
            for sample in answer_by_hand(wanted).samples.values():
                self.prompter.texts.append([*wanted.prompt, *sample.tokens])

    def _step(self):
        self._look()
        take(self.engine.step(), self.answers)
        self._look()

    @precondition(lambda self: self.engine.has_work)
    @rule(count=st.integers(1, 4))
    def step(self, count):
        for _ in range(count):
            self._step()
            self.nobody_waits_for_one_that_came_later()

    @precondition(lambda self: self.engine._states)
    @rule(how=st.sampled_from(["before", "after"]))
    def fail(self, how):
        self.backend.fails = how
        before = {*self.engine._states}
        with pytest.raises(RuntimeError, match="the step"):
            self._step()
        failed = before - {*self.engine._states}
        assert failed
        assert not self.engine._scheduler.running
        self.failed |= failed

    @precondition(lambda self: self.wishes)
    @rule(data=st.data())
    def abort(self, data):
        identity = data.draw(st.sampled_from([*self.wishes]))
        index = data.draw(st.one_of(st.none(), st.integers(0, 3)))
        number = self.wishes[identity].num_samples
        self.aborted |= {(identity, one) for one in ([index] if index is not None else [0, 1, 2])}
        self.engine.abort(identity, index)
        if number == 1 and index == 0:
            assert identity not in self.engine._states

    def _look(self):
        """Remember all sequences, to know their blocks' keys later."""
        for state in self.engine._states.values():
            self.seen.update(dict.fromkeys(state.live, state))

    @invariant()
    def every_holder_is_counted(self):
        pool = self.engine._scheduler.pool
        live = [one for state in self.engine._states.values() for one in state.live]
        held = Counter(block for sequence in live for block in sequence.blocks)
        assert [pool.ref_count(block) for block in range(pool.num_blocks)] == [
            held[block] for block in range(pool.num_blocks)
        ]
        free = [*pool._empty, *pool._kept]
        assert sorted([*free, *held]) == [*range(pool.num_blocks)]
        assert pool.num_free == len(free)
        assert all(len({*sequence.blocks}) == len(sequence.blocks) for sequence in live)

    @invariant()
    def every_block_holds_what_its_sequences_take_it_for(self):
        size = self.backend.info.block_size
        for state in self.engine._states.values():
            for sequence in state.live:
                count = sequence.num_computed
                assert len(sequence.blocks) >= -(-count // size)
                blocks = np.array(sequence.blocks, dtype=int)
                found = self.backend._tokens[blocks].reshape(-1)[:count]
                places = self.backend._positions[blocks].reshape(-1)[:count]
                assert found.tolist() == sequence.tokens[:count]
                assert places.tolist() == [*range(count)]

    @invariant()
    def every_key_stands_for_its_blocks_content(self):
        scheduler, size = self.engine._scheduler, self.backend.info.block_size
        content = {
            key: sequence.tokens[place * size : (place + 1) * size]
            for sequence, state in self.seen.items()
            for place, key in enumerate(scheduler._keys(state, sequence))
        }
        for key, block in scheduler.pool._block_of.items():
            assert scheduler.pool._key_of[block] == key
            assert self.backend._tokens[block].tolist() == content[key]
        assert len(scheduler.pool._key_of) == len(scheduler.pool._block_of)
        if not self.limits.prefix_caching:
            assert not scheduler.pool.num_kept

    @invariant()
    def no_block_is_held_for_what_was_not_drawn(self):
        size = self.backend.info.block_size
        for state in self.engine._states.values():
            for sequence in state.live:
                assert len(sequence.blocks) == -(-sequence.num_computed // size)

    @invariant()
    def limits_are_kept(self):
        running = self.engine._scheduler.running
        assert sum(len(state.live) for state in running) <= self.limits.max_running
        for batch in self.backend.batches[-4:]:
            assert len(batch.tokens) <= self.limits.max_batch_tokens

    def nobody_waits_for_one_that_came_later(self):
        """Less important ones run on only where they could not make room."""
        scheduler = self.engine._scheduler
        ranks = [state.rank for state in scheduler.running]
        assert ranks == sorted(ranks)
        if ranks and scheduler.num_waiting:
            first = scheduler._first_waiting()
            assert ranks[-1] < first.rank or ranks[-1][0] > first.request.priority

    def teardown(self):
        if not hasattr(self, "engine"):
            return
        most_steps = 3000
        while self.engine.has_work:
            self.step(1)
            self.every_holder_is_counted()
            most_steps -= 1
            assert most_steps, "not all requests end"
        assert self.engine.num_free_blocks == self.backend.info.num_blocks
        for identity, wish in self.wishes.items():
            self.is_right(identity, self.answers[identity], answer_by_hand(wish))

    def is_right(self, identity, found, expected):
        assert found.prompt == expected.prompt[: len(found.prompt)]
        for index, sample in expected.samples.items():
            ours = found.samples.get(index)
            if ours is None:
                assert (identity, index) in self.aborted
                continue
            count = len(ours.tokens)
            assert ours.tokens == sample.tokens[:count]
            assert ours.reports == sample.reports[:count]
            if ours.end == "error":
                assert identity in self.failed
            elif ours.end is None:
                assert (identity, index) in self.aborted
            else:
                assert ours.end == sample.end
                assert found.prompt == expected.prompt


Company.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestCompany = Company.TestCase
