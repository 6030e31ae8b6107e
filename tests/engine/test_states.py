"""Strategies that look inside the model: the same answers in any company; nothing for others."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.engine_oracle import run
from support.llama_files import make_model, write_model

from benchmarks.stress.answers import request
from foretell.backends.base import StatesAsked
from foretell.backends.native.backend import NativeBackend
from foretell.backends.scripted import Inside, ScriptedBackend, improvise
from foretell.engine.engine import Engine
from foretell.engine.settings import EngineSettings
from foretell.errors import ConfigError, RequestError
from foretell.formats.gguf import GGUFFile

VOCAB = 20
STATES = improvise(12, seed=5)


def early(history, layer):
    return improvise(VOCAB, seed=100 + layer)(history)


INSIDE = Inside(STATES, early, num_layers=4)


class Noting(ScriptedBackend):
    """Notes what was asked of it."""

    def __init__(self, **sizes):
        super().__init__(improvise(VOCAB), vocab_size=VOCAB, inside=INSIDE, **sizes)
        self.asked: list[StatesAsked] = []

    def forward_with_states(self, batch, asked):
        self.asked.append(asked)
        return super().forward_with_states(batch, asked)


def ids(count, seed):
    return np.random.default_rng(seed).integers(0, VOCAB, count).tolist()


def wishes():
    """Both kinds of strategy, of different lengths; two prompts share a beginning."""
    shared = ids(9, 1)
    return [
        request(shared, penalty_alpha=0.6, top_k=4, max_new_tokens=9, logprobs=2),
        request([*shared, 3], penalty_alpha=0.3, top_k=3, max_new_tokens=7, trace=True),
        request(ids(30, 2), penalty_alpha=0.5, top_k=2, max_new_tokens=6, prompt_logprobs=1),
        request([*shared, 4, 5], dola_layers="low", max_new_tokens=8, logprobs=1),
        request(ids(17, 3), dola_layers=[3, 1], max_new_tokens=6, temperature=0.9, seed=4),
        request(
            ids(5, 4),
            dola_layers="high",
            max_new_tokens=6,
            temperature=1.4,
            seed=4,
            num_return_sequences=3,
        ),
        request(shared, max_new_tokens=5, logprobs=1),
    ]


def answers(engine, requests):
    found_ids = [engine.add(one) for one in requests]
    found = run(engine)
    assert engine.num_free_blocks == engine.stats().num_blocks
    return [found[one] for one in found_ids]


@pytest.fixture(scope="module")
def alone():
    return [answers(Engine(Noting()), [wish])[0] for wish in wishes()]


@pytest.mark.parametrize("batch", [16, 23, None])
@pytest.mark.parametrize("caching", [True, False])
def test_company_and_chunks_change_nothing(alone, batch, caching):
    engine = Engine(Noting(), EngineSettings(batch, prefix_caching=caching))
    assert answers(engine, wishes()) == alone
    assert answers(engine, wishes()[::-1]) == alone[::-1]


def test_who_is_preempted_is_answered_the_same(alone):
    engine = Engine(Noting(num_blocks=22))
    assert answers(engine, wishes()) == alone
    assert engine.stats().preemptions > 0


def test_nothing_is_asked_where_nobody_looks():
    backend = Noting()
    engine = Engine(backend)
    answers(engine, [request(ids(9, 1), penalty_alpha=0.6, top_k=4, max_new_tokens=3)])
    number = len(backend.asked)
    assert number == 4  # the prompt, and one step a token
    answers(engine, [request(ids(9, 1), max_new_tokens=5)])
    assert len(backend.asked) == number


def test_only_those_who_look_have_states_asked():
    backend = Noting()
    plain, looking = request(ids(20, 1), max_new_tokens=4), request(ids(6, 2), dola_layers=[2])
    engine = Engine(backend)
    engine.add(plain)
    engine.add(dataclasses.replace(looking, config=looking.config.override(max_new_tokens=3)))
    run(engine)
    assert all(len(asked.early) == 1 and not len(asked.hidden_indices) for asked in backend.asked)


def test_a_backend_that_tells_nothing_is_named():
    engine = Engine(ScriptedBackend(improvise(VOCAB), vocab_size=VOCAB))
    for settings in ({"penalty_alpha": 0.6, "top_k": 4}, {"dola_layers": "low"}):
        with pytest.raises(ConfigError, match="scripted backend does not tell"):
            engine.check(request([1], **settings))


def test_candidates_that_cannot_run_at_once_are_refused():
    engine = Engine(Noting(), EngineSettings(max_running=3))
    with pytest.raises(RequestError, match="top_k=4 takes 4 sequences"):
        engine.check(request([1], penalty_alpha=0.6, top_k=4))


def test_the_best_candidate_by_hand():
    prompt, alpha, k = ids(7, 5), 0.6, 5
    (found,) = answers(
        Engine(Noting()), [request(prompt, penalty_alpha=alpha, top_k=k, max_new_tokens=8)]
    )
    tokens, script = [*prompt], improvise(VOCAB)
    for token in found.samples[0].tokens:
        row = script(tuple(tokens)).astype(np.float64)
        odds = np.exp(row) / np.exp(row).sum()
        past = [STATES(tuple(tokens[: at + 1])) for at in range(len(tokens))]
        scores = {}
        for one in np.argsort(-odds)[:k].tolist():
            state = STATES((*tokens, one))
            cosines = [state @ p / np.linalg.norm(state) / np.linalg.norm(p) for p in past]
            scores[one] = (1 - alpha) * odds[one] - alpha * max(cosines)
        assert max(scores, key=scores.get) == token
        tokens.append(token)


@pytest.mark.parametrize("threads", [1, 2])
def test_real_kernels_keep_the_promise(tmp_path, threads):
    path = write_model(tmp_path / "m.gguf", make_model(), "Q8_0")
    found = []
    for own_threads, batch in ((1, None), (threads, 20)):
        with GGUFFile.open(path) as file:
            backend = NativeBackend.load(file, num_blocks=64, threads=own_threads)
        engine = Engine(backend, EngineSettings(batch))
        if batch is None:
            found.append([answers(engine, [wish])[0] for wish in real_wishes()])
        else:
            found.append(answers(engine, real_wishes()))
    assert found[0] == found[1]


def real_wishes():
    shared = np.random.default_rng(0).integers(0, 160, 33).tolist()
    return [
        request(shared, penalty_alpha=0.6, top_k=4, max_new_tokens=9, logprobs=2, trace=True),
        request(shared[:20], dola_layers=[0, 1], max_new_tokens=9, logprobs=2),
        request([*shared, 7], max_new_tokens=4, logprobs=2),
    ]
