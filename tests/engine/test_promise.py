"""Bit for bit the same answer, however a request is run: the promise on real kernels."""

from __future__ import annotations

import numpy as np
import pytest
from support.engine_oracle import SCRIPT, VOCAB
from support.llama_files import make_model, write_model
from support.promise_contract import Model, PromiseContract

from benchmarks.stress.answers import request as wish_for
from benchmarks.stress.ways import Witness, run_alone, run_together
from foretell.backends.scripted import ScriptedBackend
from foretell.engine.engine import Engine


@pytest.fixture(scope="module", params=["tiny", pytest.param("default", marks=pytest.mark.model)])
def model(request, tmp_path_factory):
    """A random model with many requests, and the default model with some."""
    if request.param == "default":
        path = request.getfixturevalue("default_model_path")
        return Model(path, 24, longest=200, num_blocks=1024)
    path = tmp_path_factory.mktemp("promise") / "tiny.gguf"
    write_model(path, make_model(max_position_embeddings=1280), "Q8_0")
    return Model(path, 200, longest=1000, num_blocks=4096)


class TestPromise(PromiseContract):
    """Of a model that is attention alone."""


def test_alone_rows_that_came_again_were_the_same(model):
    """Prompts share beginnings, and are scored: some rows come again."""
    witness = Witness(model.backend, dict(model.rows))
    assert run_alone(witness, model.requests[:8]) == model.alone[:8]
    assert witness.num_known == witness.num_rows > 0
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
