"""The llama.cpp dialect against values that llama.cpp computed (benchmarks/oracles/dialects.py)."""

import json
from pathlib import Path

import numpy as np
import pytest

from foretell.config import GenerationConfig
from foretell.decoding.chain import build_chain
from foretell.decoding.context import ChainContext
from foretell.decoding.softmax import softmax
from foretell.engine.sequence import Sequence

GOLDEN = json.loads((Path(__file__).parent / "golden" / "llama_cpp.json").read_text())
IDS = [token_id for token_id, _ in GOLDEN["raw"]]
PLACE = {token_id: place for place, token_id in enumerate(IDS)}
RAW = np.array([logprob for _, logprob in GOLDEN["raw"]])

THEIR_NAMES = {
    "repeat_penalty": "repetition_penalty",
    "repeat_last_n": "penalty_scope",
    "samplers": "processors",
}
SPREAD = 5000  # made-up tokens that share the mass of those not listed
BREAKERS = {" saw": 3680}


def left(name):
    """What llama.cpp kept, as probabilities in the order of `IDS`; nan where it told nothing."""
    found = np.zeros(len(IDS))
    for token_id, probability in GOLDEN["cases"][name]["left"]:
        found[PLACE[token_id]] = probability
    return found


def normalizer():
    """What llama.cpp took off the logits to make log-probabilities of them.

    A penalty of 1.25 takes a fifth off a positive logit, as the likeliest one is, so
    the odds of a penalised token before and after tell its logit.
    """
    penalised = left("repeat_calibration")
    seen = next(place for place, token_id in enumerate(IDS) if token_id in GOLDEN["prompt"])
    other = next(place for place, token_id in enumerate(IDS) if token_id not in GOLDEN["prompt"])
    odds = np.log(penalised[seen] / penalised[other])
    change = odds - (RAW[seen] - RAW[other])
    logit = -5 * change  # the likeliest logit is positive
    return float(logit - RAW[seen])


def ours(settings):
    """The chain on the row that llama.cpp had, every token but the likeliest left out."""
    settings = {THEIR_NAMES.get(name, name): value for name, value in settings.items()}
    if "dry_sequence_breakers" in settings:
        ids = [BREAKERS[text] for text in settings["dry_sequence_breakers"]]
    else:
        ids = []
    off = {"top_k": 200, "top_p": 1.0, "min_p": 0.0, "temperature": 1.0}
    if settings.get("mirostat"):
        off = {"temperature": 1.0}
    config = GenerationConfig(dialect="llama.cpp", seed=1, **{**off, **settings})
    size = 1 + max(*IDS, *GOLDEN["prompt"])
    row = np.full(size, -np.inf, np.float32)
    row[IDS] = RAW + normalizer()
    if "mirostat" in settings:  # it has no top-k before it: the other tokens' mass counts
        rest = np.log((1 - np.exp(RAW).sum()) / SPREAD) + normalizer()
        row = np.append(row, np.full(SPREAD, rest, np.float32))
    context = ChainContext(len(row), dry_breakers=dict.fromkeys(ids, ((),)))
    for stage in build_chain(config, context):
        stage.processor(row, Sequence(0, GOLDEN["prompt"]))
    return softmax(row)[IDS]


@pytest.mark.parametrize("name", GOLDEN["cases"])
def test_it_keeps_and_weighs_what_llama_cpp_does(name):
    result = ours(GOLDEN["cases"][name]["settings"])
    expected = left(name)
    assert np.flatnonzero(result).tolist() == np.flatnonzero(expected).tolist()
    np.testing.assert_allclose(result, expected, rtol=2e-4, atol=1e-7)
