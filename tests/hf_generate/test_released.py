"""Diverse and constrained beams of the drop-in against transformers 4.55, which had both.

What it found is kept in tests/decoding/golden/transformers_searches.json, by
benchmarks/oracles/searches.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.oracles.searches import MODEL_IDS, MODEL_VOCAB, fill
from foretell import ConfigError, generate

GOLDEN = Path(__file__).parents[1] / "decoding" / "golden" / "transformers_searches.json"
CALLS = json.loads(GOLDEN.read_text())["calls"]
IDS = torch.tensor([[3, 4, 5]])
WORDS = {"num_beams": 2, "force_words_ids": [[7, 8]], "max_new_tokens": 6}
GROUPS = {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0, "max_new_tokens": 6}


@pytest.fixture(scope="module")
def model():
    sizes = {"n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=MODEL_VOCAB, **sizes, **MODEL_IDS)).eval()
    fill(model.named_parameters())
    return model


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_calls_return_what_transformers_returned(model, number):
    call = CALLS[number]
    found = generate(
        model,
        torch.tensor(call["input_ids"]),
        attention_mask=torch.tensor(call["attention_mask"]),
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
        **call["settings"],
    )
    length = len(call["input_ids"][0])
    assert found.sequences[:, length:].tolist() == call["tokens"]
    if call["scores"] is not None:
        np.testing.assert_allclose(found.sequences_scores, call["scores"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", [WORDS, GROUPS])
def test_the_scores_of_a_text_add_up(model, settings):
    """Each token's summand is in `scores`, in the row that `beam_indices` says."""
    found = generate(
        model,
        IDS,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
        num_return_sequences=2,
        length_penalty=0.0,
        **settings,
    )
    for text, rows, score in zip(
        found.sequences[:, 3:], found.beam_indices, found.sequences_scores, strict=True
    ):
        added = [
            table[row, token]
            for table, row, token in zip(found.scores, rows, text, strict=False)
            if row >= 0
        ]
        assert sum(added) == pytest.approx(float(score), rel=1e-5)


def test_constraints_are_words(model):
    objects = [SimpleNamespace(token_ids=[7, 8]), SimpleNamespace(token_ids=[[9], [10, 11]])]
    settings = {**WORDS, "force_words_ids": None, "do_sample": False}
    found = generate(model, IDS, constraints=objects, **settings)
    same = generate(
        model, IDS, **{**WORDS, "force_words_ids": [[7, 8], [[9], [10, 11]]]}, do_sample=False
    )
    assert found.tolist() == same.tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({**WORDS, "force_words_ids": [7, 8]}, "force_words_ids=list must be a list of words"),
        ({**WORDS, "force_words_ids": [[7, -1]]}, "force_words_ids=list must be"),
        ({**WORDS, "constraints": [7]}, "constraints=list must be a list of Phrasal"),
        ({**WORDS, "num_beams": 1}, "force_words=.* has no effect without num_beams above 1"),
        ({**WORDS, "do_sample": True}, "force_words=.* contradicts sampling"),
        ({**GROUPS, "do_sample": True}, "num_beam_groups=2 contradicts sampling"),
        ({**GROUPS, "num_beams": 3}, "num_beam_groups=2 does not divide num_beams=3"),
        ({**GROUPS, "diversity_penalty": 0.0}, "num_beam_groups=2 has no effect without"),
        ({**GROUPS, **WORDS}, "contradicts"),
    ],
)
def test_what_makes_no_sense_is_refused(model, settings, message):
    with pytest.raises(ConfigError, match=message):
        generate(model, IDS, **{"do_sample": False, **settings})
