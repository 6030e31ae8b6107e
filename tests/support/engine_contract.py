"""What an engine must give on any backend. A test class inherits it and makes the backend.

    class TestScripted(EngineContract):
        @pytest.fixture
        def backend(self): ...

The backend must hold to `backend_contract.BackendContract`, have a context of 6 blocks and 24 in
its pool, and batches of as many tokens as a context. What is right is worked out with the backend
itself, in one batch a token: the whole sequence so far, from the first position on. Numbers must be
the same bit by bit, unless the class says what the backend cannot promise.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.stress.answers import request, take
from benchmarks.stress.ways import Witness
from foretell.backends.base import Batch
from foretell.engine.engine import Engine
from foretell.engine.settings import EngineSettings
from support.engine_oracle import alike, answer_by_hand, run

SAMPLING = {"temperature": 1.2, "seed": 3, "logprobs": 2}
GUIDANCE = {"guidance_scale": 1.6}


def script_of(backend):
    """A script that asks the backend, without any engine."""
    size = backend.info.block_size
    known = {}

    def script(history):
        if history not in known:
            length = len(history)
            blocks = np.arange(-(-length // size), dtype=np.int32)[::-1].copy()
            batch = Batch(
                tokens=np.array(history, np.int32),
                positions=np.arange(length, dtype=np.int32),
                starts=np.array([0, length], np.int32),
                block_tables=blocks[None],
                logits_indices=np.array([length - 1], np.int32),
            )
            known[history] = backend.forward(batch)[0].copy()
        return known[history].copy()

    return script


class EngineContract:
    """The tests; one `backend` may serve them all.

    Attributes:
        tolerance: by how much logits and log-probabilities may differ that should be the same.
    """

    tolerance = 0.0

    def check(self, found, expected):
        if self.tolerance:
            assert alike(found, expected, self.tolerance), (found, expected)
        else:
            assert found == expected

    @pytest.fixture
    def expected(self, backend):
        """What a request must be answered; to be asked for when no engine is under way."""
        script = script_of(backend)
        return lambda wish: answer_by_hand(wish, script)

    @pytest.fixture
    def ids(self, backend):
        """`ids(count, seed)`: token ids for a prompt."""
        vocab_size = backend.info.vocab_size

        def draw(count, seed=0):
            return np.random.default_rng(seed).integers(0, vocab_size, count).tolist()

        return draw

    def answers(self, engine, wishes):
        """All wishes' answers, run together; no block may be lost."""
        identities = [engine.add(wish) for wish in wishes]
        found = run(engine)
        assert engine.num_free_blocks == engine.stats().num_blocks
        return [found[identity] for identity in identities]

    def wishes(self, backend, ids):
        """Some requests of different lengths and kinds."""
        size = backend.info.block_size
        return [
            request(ids(1), max_new_tokens=6),
            request(ids(size, 1), max_new_tokens=5, **SAMPLING),
            request(ids(2 * size + 1, 2), max_new_tokens=4, prompt_logprobs=1),
            request(ids(size - 1, 3), max_new_tokens=5, num_return_sequences=3, **SAMPLING),
            request(ids(5, 4), negative_prompt=ids(3, 5), max_new_tokens=4, **SAMPLING, **GUIDANCE),
            request(ids(7, 6), max_new_tokens=6, mirostat=2, repetition_penalty=1.2, seed=1),
        ]

    def test_alone(self, backend, expected, ids):
        for wish in self.wishes(backend, ids):
            self.check(self.answers(Engine(backend), [wish]), [expected(wish)])

    @pytest.mark.parametrize("batch", [6, 17, None])
    @pytest.mark.parametrize("caching", [True, False])
    def test_together(self, backend, expected, ids, batch, caching):
        wishes = self.wishes(backend, ids)
        engine = Engine(backend, EngineSettings(batch, prefix_caching=caching))
        self.check(self.answers(engine, wishes), [expected(wish) for wish in wishes])

    def test_one_after_the_other_joins(self, backend, expected, ids):
        wishes = self.wishes(backend, ids)
        engine = Engine(backend)
        identities, found = [], {}
        for wish in reversed(wishes):
            identities.append(engine.add(wish))
            take(engine.step(), found)
        while engine.has_work:
            take(engine.step(), found)
        answers = [found[identity] for identity in reversed(identities)]
        self.check(answers, [expected(wish) for wish in wishes])

    def test_samples_are_what_they_would_be_alone(self, backend, expected, ids):
        size = backend.info.block_size
        for length in (size, size + 1, 2 * size - 1):
            wish = request(ids(length), max_new_tokens=6, num_return_sequences=4, **SAMPLING)
            self.check(self.answers(Engine(backend), [wish]), [expected(wish)])

    def test_samples_with_guidance(self, backend, expected, ids):
        wish = request(
            ids(9),
            negative_prompt=ids(4, 1),
            max_new_tokens=5,
            num_return_sequences=3,
            **SAMPLING,
            **GUIDANCE,
        )
        self.check(self.answers(Engine(backend), [wish]), [expected(wish)])

    def test_a_warm_cache(self, backend, expected, ids):
        size = backend.info.block_size
        engine = Engine(backend)
        wishes = [
            request(ids(3 * size), max_new_tokens=3, **SAMPLING),
            request([*ids(2 * size), *ids(3, 1)], max_new_tokens=3, prompt_logprobs=1),
            request([*ids(2 * size), *ids(3, 2)], max_new_tokens=3, logprobs=1),
        ]
        found = [self.answers(engine, [wish]) for wish in wishes]
        assert engine.stats().cached_tokens == 2 * size  # the scored prompt took none
        self.check(found, [[expected(wish)] for wish in wishes])

    def test_a_chats_next_turn(self, backend, expected, ids):
        size = backend.info.block_size
        engine = Engine(backend)
        first = request(ids(size), max_new_tokens=size + 2)
        (answer,) = self.answers(engine, [first])
        following = request(
            [*first.prompt, *answer.samples[0].tokens, *ids(2, 1)], max_new_tokens=3, logprobs=1
        )
        (later,) = self.answers(engine, [following])
        assert engine.stats().cached_tokens == 2 * size
        self.check(later, expected(following))

    def test_a_small_pool(self, backend, expected, ids):
        size = backend.info.block_size
        small = Witness(backend, {}, num_blocks=5, tolerance=self.tolerance)
        engine = Engine(small)
        wishes = [
            request(ids(size // 2, seed), max_new_tokens=3 * size, seed=seed, temperature=1.1)
            for seed in range(4)
        ]
        found = self.answers(engine, wishes)
        assert engine.stats().preemptions > 0
        assert small.num_differing == 0
        self.check(found, [expected(wish) for wish in wishes])

    def test_a_small_pool_with_samples(self, backend, expected, ids):
        size = backend.info.block_size
        small = Witness(backend, {}, num_blocks=8, tolerance=self.tolerance)
        engine = Engine(small)
        wishes = [
            request(ids(2, 1), max_new_tokens=4 * size),
            request(ids(size + 1, 2), max_new_tokens=size + 3, num_return_sequences=3, **SAMPLING),
        ]
        found = self.answers(engine, wishes)
        assert engine.stats().preemptions > 0
        assert small.num_differing == 0
        self.check(found, [expected(wish) for wish in wishes])

    def test_who_leaves_changes_nothing_for_the_others(self, backend, expected, ids):
        wishes = self.wishes(backend, ids)
        engine = Engine(backend)
        identities = [engine.add(wish) for wish in wishes]
        found = {}
        take(engine.step(), found)
        engine.abort(identities[2])
        engine.abort(identities[3], 1)
        while engine.has_work:
            take(engine.step(), found)
        assert engine.num_free_blocks == backend.info.num_blocks
        for index, wish in enumerate(wishes):
            if index not in (2, 3):
                self.check(found[identities[index]], expected(wish))
        whole = expected(wishes[3])
        for index in (0, 2):
            self.check(found[identities[3]].samples[index], whole.samples[index])

    def test_a_prompt_of_many_batches(self, backend, expected, ids):
        size = backend.info.block_size
        wish = request(ids(5 * size), max_new_tokens=3, prompt_logprobs=0)
        engine = Engine(backend, EngineSettings(max_batch_tokens=7))
        self.check(self.answers(engine, [wish]), [expected(wish)])
