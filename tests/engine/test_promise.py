"""Bit for bit the same answer, however a request is run: the promise on real kernels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.engine_oracle import SCRIPT, VOCAB
from support.llama_files import make_model, write_model

from benchmarks.stress.answers import request as wish_for
from benchmarks.stress.ways import (
    WAYS,
    Witness,
    make_requests,
    run_alone,
    run_squeezed,
    run_together,
    short_ones,
)
from foretell.backends.native.backend import NativeBackend
from foretell.backends.scripted import ScriptedBackend
from foretell.engine.engine import Engine
from foretell.formats.gguf import GGUFFile


class Model:
    """A model, some requests, what they are answered alone, and every row of logits seen."""

    def __init__(self, path: Path, number: int, *, longest: int, num_blocks: int) -> None:
        self.path = path
        self.num_blocks = num_blocks
        self.backend = self.load(threads=2)
        self.rows = {}
        self.requests = make_requests(number, self.backend.info.vocab_size, longest=longest, seed=2)
        self.alone = run_alone(Witness(self.backend, self.rows), self.requests)

    def load(self, *, block_size: int = 16, **settings) -> NativeBackend:
        """The same model; as many positions in its pool, whatever the size of a block."""
        with GGUFFile.open(self.path) as file:
            num_blocks = self.num_blocks * 16 // block_size
            return NativeBackend.load(
                file, num_blocks=num_blocks, block_size=block_size, **settings
            )


@pytest.fixture(scope="module", params=["tiny", pytest.param("default", marks=pytest.mark.model)])
def model(request, tmp_path_factory):
    """A random model with many requests, and the default model with some."""
    if request.param == "default":
        path = request.getfixturevalue("default_model_path")
        return Model(path, 24, longest=200, num_blocks=1024)
    path = tmp_path_factory.mktemp("promise") / "tiny.gguf"
    write_model(path, make_model(max_position_embeddings=1280), "Q8_0")
    return Model(path, 200, longest=1000, num_blocks=4096)


def test_alone_rows_that_came_again_were_the_same(model):
    """Prompts share beginnings, and are scored: some rows come again."""
    witness = Witness(model.backend, dict(model.rows))
    assert run_alone(witness, model.requests[:8]) == model.alone[:8]
    assert witness.num_known == witness.num_rows > 0
    assert witness.num_differing == 0


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_running_them_gives_the_same_answers(model, way):
    witness = Witness(model.backend, model.rows)
    outcome = WAYS[way](witness, model.requests)
    assert outcome.answers == model.alone
    assert witness.num_known > 0
    assert witness.num_differing == 0
    assert (outcome.stats.cached_blocks > 0) == (way != "no cache")
    assert outcome.stats.free_blocks == outcome.stats.num_blocks


def test_who_is_preempted_is_answered_the_same(model):
    num_preempted = 0
    for places in (short_ones(model.requests), range(len(model.requests))):
        requests = [model.requests[place] for place in places]
        outcome, witness = run_squeezed(model.backend, requests, model.rows)
        num_preempted += outcome.stats.preemptions
        assert outcome.answers == [model.alone[place] for place in places]
        assert witness.num_differing == 0
    assert num_preempted > 0


@pytest.mark.parametrize(
    "settings",
    [{"threads": 1}, {"block_size": 32}, {"block_size": 64}],
    ids=lambda settings: "-".join(f"{name}-{value}" for name, value in settings.items()),
)
def test_threads_and_block_sizes_change_nothing(model, settings):
    witness = Witness(model.load(**settings), model.rows)
    outcome = run_together(Engine(witness), model.requests)
    assert outcome.answers == model.alone
    assert witness.num_known > 0
    assert witness.num_differing == 0


class Sloppy(ScriptedBackend):
    """Its logits depend, by a last bit, on how many sequences share a batch."""

    def forward(self, batch):
        logits = super().forward(batch)
        if len(batch.block_tables) > 1:
            logits[:, 0] = np.nextafter(logits[:, 0], np.float32(np.inf))
        return logits


def test_a_last_bit_that_differs_is_noticed():
    rows = {}
    requests = [wish_for([place, 1], max_new_tokens=2, logprobs=0) for place in range(4)]
    backend = Sloppy(SCRIPT, vocab_size=VOCAB)
    alone = run_alone(Witness(backend, rows), requests)
    witness = Witness(backend, rows)
    outcome = run_together(Engine(witness), requests)
    assert outcome.answers != alone
    assert witness.num_differing == witness.num_known == 8
