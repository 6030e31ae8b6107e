"""The engine on models with a recurrent state, which lies in the KV blocks.

A state cannot go back: what the engine computes again it begins at a block, and it guesses nothing.
"""

from __future__ import annotations

import pytest
from support.engine_contract import EngineContract
from support.promise_contract import Model, PromiseContract
from support.state_families import RECURRENT, write_recurrent

from benchmarks.stress.answers import request as wish_for
from benchmarks.stress.answers import take
from benchmarks.stress.ways import Witness, run_together
from foretell.backends.native.backend import NativeBackend
from foretell.decoding.drafts.lookup import LookupDrafter
from foretell.engine.engine import Engine
from foretell.engine.settings import EngineSettings
from foretell.formats.gguf import GGUFFile


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """A tiny random model of each family, as a file."""
    return write_recurrent(tmp_path_factory.mktemp("recurrent"))


class TestRecurrent(EngineContract):
    @pytest.fixture(params=RECURRENT)
    def backend(self, request, paths):
        with GGUFFile.open(paths[request.param]) as file:
            return NativeBackend.load(file, threads=2, num_blocks=24)


@pytest.fixture(scope="module", params=RECURRENT)
def model(request, paths):
    return Model(paths[request.param], 60, longest=180, num_blocks=1024)


class TestRecurrentPromise(PromiseContract):
    """Of models that have a state."""


def test_a_sample_given_up_while_its_sibling_waits_for_it(model):
    """After a preemption samples are computed again: one that waits begins anew at a block."""
    settings = {"temperature": 1.3, "seed": 11, "num_return_sequences": 2, "max_new_tokens": 40}
    wish = wish_for([*range(20, 40)], **settings)
    expected = run_together(Engine(model.backend), [wish]).answers[0].samples[0]
    small = Witness(model.backend, dict(model.rows), num_blocks=7)
    engine = Engine(small, EngineSettings(max_batch_tokens=4))
    engine.add(wish_for([9], max_new_tokens=70))
    identity = engine.add(wish)
    answers = {}
    while not engine._states[identity]._rows:  # of the one that waits for the other
        take(engine.step(), answers)
    assert engine.stats().preemptions > 0
    engine.abort(identity, 1)
    while engine.has_work:
        take(engine.step(), answers)
    assert answers[identity].samples[0] == expected
    assert small.num_differing == 0
    assert engine.num_free_blocks == 7


def test_nothing_is_guessed_and_it_is_said_why(model):
    engine = Engine(model.backend, drafter=LookupDrafter())
    engine.add(wish_for([1, 2] * 8, max_new_tokens=12))
    events = []
    while engine.has_work:
        events += engine.step()
    assert "keeps a state" in events[0].speculation_off
    assert engine.stats().draft_tokens == 0
