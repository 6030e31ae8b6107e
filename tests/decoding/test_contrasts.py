"""Contrastive search and DoLa against what transformers wrote while it had them.

The texts come from benchmarks/oracles.contrasts.py; its models are made again here.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.engine_oracle import run
from support.family_contract import load_folder, save
from support.reference_model import EXACT

from benchmarks.oracles.contrasts import MODELS, numbered_model
from benchmarks.stress.answers import request
from foretell.backends.transformers.backend import TransformersBackend
from foretell.decoding.processors.layers import candidate_layers, contrast
from foretell.engine.engine import Engine
from foretell.errors import ConfigError

ORACLE = json.loads((Path(__file__).parent / "golden" / "contrasts.json").read_text())
CASES = [case for case in ORACLE["cases"] if case["model"] != "deep"]


@cache
def model_of(kind):
    return numbered_model(kind)


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    """The native backends of the models, by name, made when asked for."""
    made = {}

    def get(kind):
        if kind not in made:
            folder = save(tmp_path_factory.mktemp(kind), model_of(kind))
            made[kind] = load_folder(folder, **EXACT)
        return made[kind]

    return get


def texts_of(backend, case, *, together):
    """What the case's settings write behind each prompt."""
    settings = {name: case[name] for name in case if name not in ("model", "texts")}
    eos = frozenset({1})
    wishes = [
        request(prompt, max_new_tokens=ORACLE["new_tokens"], eos_token_ids=eos, **settings)
        for prompt in ORACLE["prompts"]
    ]
    engine = Engine(backend)
    if together:
        ids = [engine.add(wish) for wish in wishes]
        answers = run(engine)
    else:
        answers = {}
        ids = []
        for wish in wishes:
            ids.append(engine.add(wish))
            answers |= run(engine)
    assert engine.num_free_blocks == engine.stats().num_blocks
    return [answers[one].samples[0].tokens for one in ids]


def named(case):
    return "-".join(f"{name}={case[name]}" for name in case if name != "texts")


@pytest.mark.parametrize("case", CASES, ids=named)
def test_texts_are_those_of_transformers(native, case):
    assert texts_of(native(case["model"]), case, together=True) == case["texts"]


@pytest.mark.parametrize("case", CASES[::7], ids=named)
def test_alone_and_on_torch_too(native, case):
    assert texts_of(native(case["model"]), case, together=False) == case["texts"]
    backend = TransformersBackend(model_of(case["model"]))
    assert texts_of(backend, case, together=True) == case["texts"]


@pytest.mark.parametrize(
    "case", [case for case in ORACLE["cases"] if case["model"] == "deep"][::3], ids=named
)
def test_a_deep_model(native, case):
    assert texts_of(native("deep"), case, together=True) == case["texts"]


def test_every_model_is_in_the_oracle():
    assert {case["model"] for case in ORACLE["cases"]} == {*MODELS}


@pytest.mark.parametrize(
    ("wanted", "layers", "tied", "expected"),
    [
        ("low", 32, False, range(0, 16, 2)),
        ("low", 32, True, range(2, 16, 2)),
        ("high", 32, True, range(16, 32, 2)),
        ("low", 48, False, range(0, 20, 2)),
        ("high", 48, False, range(28, 48, 2)),
        ("low", 2, True, [1]),
        ("low", 4, True, [2]),
        ("low", 3, True, [2]),
        ("low", 1, True, [0]),
        ((5, 1, 5), 6, False, [5, 1]),
    ],
)
def test_which_layers_are_candidates(wanted, layers, tied, expected):
    assert candidate_layers(wanted, layers, ties_embeddings=tied) == tuple(expected)


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"dola_layers=\[6\]: this model has 6 layers"):
        candidate_layers((6,), 6, ties_embeddings=False)


def test_contrast_keeps_what_is_likely_and_prefers_what_early_layers_do_not():
    row = np.log(np.array([0.5, 0.4, 0.06, 0.04], np.float32))
    early = np.log(np.array([[0.7, 0.1, 0.1, 0.1], [0.5, 0.4, 0.06, 0.04]], np.float32))
    contrast(row, early)
    np.testing.assert_allclose(row[:3], np.log([0.5 / 0.7, 4, 0.6]), rtol=1e-5)
    assert row[3] == -np.inf
