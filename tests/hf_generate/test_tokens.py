"""Greedy decoding and beams: the tokens of transformers' `generate`, setting by setting."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from support.hf_models import BOS, EOS, PAD, random_inputs, random_settings, tiny_gpt2

from foretell import generate

NUM_SETTINGS = 50
SEES_PADDING = ("no_repeat_ngram_size", "bad_words_ids", "sequence_bias")
"""Where transformers takes the padding for tokens, and foretell does not."""


@pytest.mark.filterwarnings("ignore:Unfeasible length", "ignore:at least . tokens are asked for")
@pytest.mark.parametrize("seed", range(NUM_SETTINGS))
@pytest.mark.parametrize("name", ["gpt2", "llama", "native"])
def test_random_settings_give_the_same_tokens(name: str, seed: int, request: pytest.FixtureRequest):
    model = request.getfixturevalue(name)
    oracle = request.getfixturevalue("llama") if name == "native" else model
    dice = random.Random(f"{name} {seed}")
    settings = random_settings(dice)
    inputs = random_inputs(dice, padded=not any(one in settings for one in SEES_PADDING))
    expected = oracle.generate(**inputs, **settings)
    found = generate(model, **inputs, **settings)
    assert found.dtype == expected.dtype
    assert found.tolist() == expected.tolist(), (settings, inputs)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1.5, 3.0])
def test_guidance_gives_the_same_tokens(llama: Any, scale: float):
    ids, away = torch.tensor([[3, 4, 5], [6, 7, 8]]), torch.tensor([[9, 10], [11, 12]])
    settings = {"guidance_scale": scale, "max_new_tokens": 6}
    assert torch.equal(generate(llama, ids, **settings), llama.generate(ids, **settings))
    settings |= {"negative_prompt_ids": away, "negative_prompt_attention_mask": away != 9}
    assert torch.equal(generate(llama, ids, **settings), llama.generate(ids, **settings))


def test_a_prompt_of_one_token_is_followed_by_the_forced_one(gpt2: Any):
    settings = {"forced_bos_token_id": 7, "begin_suppress_tokens": [5, 8], "max_new_tokens": 3}
    for ids in (torch.tensor([[4], [9]]), torch.tensor([[4, 9]])):
        expected = gpt2.generate(ids, **settings)
        assert torch.equal(generate(gpt2, ids, **settings), expected)
    both = generate(
        gpt2, torch.tensor([[4]]), **{**settings, "begin_suppress_tokens": [*range(3, 24)]}
    )
    assert both.tolist()[0][:2] == [4, 7]
    assert both.tolist()[0][2] in (BOS, EOS, PAD)


def test_the_second_token_is_held_back_after_a_forced_one(gpt2: Any):
    ids = torch.tensor([[4]])
    free = gpt2.generate(ids, forced_bos_token_id=7, max_new_tokens=2)[0, 2].item()
    settings = {"forced_bos_token_id": 7, "begin_suppress_tokens": [free], "max_new_tokens": 2}
    expected = gpt2.generate(ids, **settings)
    assert expected[0, 2] != free
    assert torch.equal(generate(gpt2, ids, **settings), expected)


@pytest.mark.parametrize("pad", [0, 2, None])
@pytest.mark.parametrize("num_beams", [1, 3])
def test_shorter_texts_are_filled_as_transformers_fills_them(pad: int | None, num_beams: int):
    model = tiny_gpt2(pad_token_id=pad)
    settings = {"num_beams": num_beams, "max_new_tokens": 12, "eos_token_id": [8, 5, 9, 12, 14, 21]}
    ids = torch.tensor([[3, 4], [5, 6], [7, 13], [15, 16]])
    mask = torch.ones_like(ids)
    expected = model.generate(ids, attention_mask=mask, **settings)
    found = generate(model, ids, attention_mask=mask, **settings)
    assert len({row.tolist()[-1] for row in expected}) > 1
    assert torch.equal(found, expected)


@pytest.mark.parametrize("eos", [50256, -1])
def test_end_tokens_beyond_the_vocabulary_end_nothing(eos: int):
    model = tiny_gpt2(eos_token_id=eos, pad_token_id=PAD)
    ids = torch.tensor([[3, 4], [5, 6]])
    for settings in ({}, {"num_beams": 3}):
        settings |= {"max_new_tokens": 5, "min_new_tokens": 3}
        assert torch.equal(generate(model, ids, **settings), model.generate(ids, **settings))
