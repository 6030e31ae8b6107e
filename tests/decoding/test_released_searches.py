"""Diverse and constrained beams against transformers 4.55, which had both; later ones have not.

What it found is kept in golden/transformers_searches.json, by benchmarks/oracles/searches.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.searches import run_search, texts_of

from benchmarks.oracles.searches import VOCAB, rows_after
from foretell.config import GenerationConfig
from foretell.decoding.strategies.constrained import ConstrainedSearch
from foretell.decoding.strategies.diverse import DiverseSearch

GOLDEN = json.loads((Path(__file__).parent / "golden" / "transformers_searches.json").read_text())


def settings_of(case):
    settings = dict(case["settings"])
    if "force_words_ids" in settings:
        settings["force_words"] = settings.pop("force_words_ids")
    if not case["eos"]:  # nothing is to be held back
        settings.pop("min_new_tokens", None)
    return GenerationConfig(**settings)


def check(case, search):
    """The texts, filled up as theirs, and the scores; they write the first eos for each."""
    found = texts_of(search)[: case["settings"]["num_return_sequences"]]
    assert len(found) == len(case["tokens"])
    for (tokens, _), expected in zip(found, case["tokens"], strict=True):
        if tokens[-1] in case["eos"]:
            tokens[-1] = case["eos"][0]
        assert tokens == expected[: len(tokens)]
        filling = {*expected[len(tokens) :]}
        assert filling <= {case["pad"], *case["eos"][:1]}
    if case["scores"] is not None:
        scores = [score for _, score in found]
        np.testing.assert_allclose(scores, case["scores"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("number", range(len(GOLDEN["diverse"])))
def test_groups_find_what_transformers_finds(number):
    case = GOLDEN["diverse"][number]
    search = run_search(
        *(DiverseSearch, rows_after, case["prompt"], case["eos"], settings_of(case), VOCAB),
        filling=case["pad"],
    )
    check(case, search)


@pytest.mark.parametrize("number", range(len(GOLDEN["constrained"])))
def test_forced_words_lead_to_what_transformers_finds(number):
    case = GOLDEN["constrained"][number]
    search = run_search(
        *(ConstrainedSearch, rows_after, case["prompt"], case["eos"], settings_of(case), VOCAB),
        as_released=True,
    )
    check(case, search)
