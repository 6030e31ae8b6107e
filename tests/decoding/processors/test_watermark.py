"""Watermarks against transformers' processor, detector and random permutations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.processor_rows import Past
from support.toy import VOCAB_SIZE, toy_llm
from transformers import LlamaConfig
from transformers.generation.configuration_utils import WatermarkingConfig
from transformers.generation.watermarking import WatermarkDetector

from foretell.analysis.watermark import detect_watermark
from foretell.config import GenerationConfig
from foretell.config.validators import Watermark
from foretell.decoding.fused import _sampling
from foretell.decoding.processors.watermark import WatermarkBias
from foretell.errors import ConfigError, RequestError

MARKS = [
    {},
    {"greenlist_ratio": 0.5, "bias": 1.5, "hashing_key": 7},
    {"seeding_scheme": "selfhash", "context_width": 3},
    {"seeding_scheme": "selfhash", "context_width": 1, "hashing_key": 2**45 + 9},
    {"context_width": 4, "greenlist_ratio": 0.1, "hashing_key": 2**40 + 123},
]


@pytest.mark.parametrize("size", [1, 2, 163, 49_152])
@pytest.mark.parametrize("seed", [0, 1, 15485863, 2**32 - 1])
def test_permutations_are_torchs(seed, size):
    expected = torch.randperm(size, generator=torch.Generator().manual_seed(seed)).numpy()
    for count in {0, 1, size // 4, size}:
        np.testing.assert_array_equal(_sampling.permutation(seed, size, count), expected[:count])


@pytest.mark.parametrize("mark", MARKS)
def test_rows_are_those_of_transformers(mark):
    size, dice = 163, np.random.default_rng(5)
    theirs = WatermarkingConfig(**mark).construct_processor(size, "cpu")
    ours = WatermarkBias(Watermark(**mark), size)
    for length in (1, 2, 3, 4, 9):
        tokens = dice.integers(0, size, length).tolist()
        row = (dice.standard_normal(size) * 3).astype(np.float32)
        row[dice.integers(0, size, 20)] = -np.inf
        expected = theirs(torch.tensor([tokens]), torch.from_numpy(row.copy())[None])[0].numpy()
        ours(row, Past(tokens, length))
        np.testing.assert_array_equal(row, expected)


@pytest.mark.parametrize("ignores", [False, True])
@pytest.mark.parametrize("mark", MARKS)
def test_evidence_is_that_of_transformers(mark, ignores):
    config = LlamaConfig(vocab_size=163, bos_token_id=0)
    theirs = WatermarkDetector(config, "cpu", WatermarkingConfig(**mark), ignores)
    for seed in range(3):
        ids = np.random.default_rng(seed).integers(0, 12, 40).tolist()
        ids[0] = seed % 2
        expected = theirs(torch.tensor([ids]), return_dict=True)
        found = detect_watermark(
            ids, Watermark(**mark), 163, bos_token_id=0, ignore_repeated_ngrams=ignores
        )
        assert found.num_tokens_scored == expected.num_tokens_scored[0]
        assert found.num_green_tokens == expected.num_green_tokens[0]
        assert found.z_score == pytest.approx(expected.z_score[0], abs=1e-12)
        assert found.p_value == pytest.approx(expected.p_value[0], rel=1e-9)
        assert found.prediction == expected.prediction[0]
        assert found.confidence == pytest.approx(expected.confidence[0])


@pytest.mark.parametrize("scheme", ["lefthash", "selfhash"])
def test_a_marked_text_is_found_with_its_key_and_no_other(scheme):
    mark = {"bias": 8.0, "seeding_scheme": scheme}
    with toy_llm() as llm:
        settings = {"max_new_tokens": 60, "temperature": 1, "seed": 1, "ignore_eos": True}
        marked = llm.generate("the", watermark=mark, **settings)
        plain = llm.generate("the", **settings)
        found = llm.detect_watermark(marked, watermark=mark)
        assert found.prediction
        assert str(found).startswith("a watermark: ")
        assert not llm.detect_watermark(plain, watermark=mark).prediction
        assert not llm.detect_watermark(marked, watermark={**mark, "hashing_key": 5}).prediction
        assert llm.detect_watermark(marked.token_ids, watermark=mark) == found


def test_the_stage_comes_behind_all_that_cuts():
    order = GenerationConfig(watermark=True).rules.order
    assert order.index("watermark") == len(order) - 2
    with toy_llm() as llm:
        output = llm.generate("the", watermark=True, top_k=5, seed=1, trace=True, max_new_tokens=2)
    names = [stage.name for stage in output.trace[0].stages]
    assert names == ["raw", "top_k", "watermark"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"greenlist_ratio": 1}, "greenlist_ratio=1 marks nothing"),
        ({"greenlist_ratio": 0}, "greenlist_ratio=0 is out of range"),
        ({"seeding_scheme": "left"}, "seeding_scheme='left' must be 'lefthash' or 'selfhash'"),
        ({"context_width": 0}, "context_width=0 is out of range"),
        ({"ratio": 1}, "must be True or a dict of greenlist_ratio"),
        (3, "must be True or a dict"),
    ],
)
def test_what_makes_no_sense_is_refused(value, message):
    with pytest.raises(ConfigError, match=message):
        GenerationConfig(watermark=value)


def test_a_text_that_is_too_short_is_refused():
    with pytest.raises(RequestError, match="1 token: must have more than context_width=1"):
        detect_watermark([5], Watermark(), VOCAB_SIZE)
    with toy_llm() as llm, pytest.raises(ConfigError, match="watermark=False marks nothing"):
        llm.detect_watermark("the cat", watermark=False)
