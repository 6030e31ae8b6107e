"""Tiny random Llama models against transformers, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from support.kernel_bench import ISAS, bits
from support.llama_files import make_model, read_reference, reference_logits, write_model
from support.reference_model import (
    EXACT,
    PROMPT,
    assert_like_the_reference,
    prefill_and_decode,
    some_ids,
)

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
CONFIGS = {
    "grouped, tied": {},
    "one head each, untied": {"num_key_value_heads": 4, "tie_word_embeddings": False, "seed": 1},
    "three heads share one, dim 32": {
        "hidden_size": 96,
        "intermediate_size": 160,
        "num_attention_heads": 3,
        "num_key_value_heads": 1,
        "seed": 2,
    },
    "heads wider than the model": {"head_dim": 32, "rope": {"rope_theta": 500_000.0}, "seed": 3},
    "linear rope scaling": {"rope": {"rope_type": "linear", "factor": 4.0}, "seed": 4},
    "llama 3 rope scaling": {"rope": LLAMA3, "seed": 5},
    "vocabulary as wide as the model": {
        "vocab_size": 64,
        "tie_word_embeddings": False,
        "rms_norm_eps": 1e-3,
        "seed": 6,
    },
    "vocabulary of an odd size": {"vocab_size": 163, "num_hidden_layers": 1, "seed": 7},
}
KINDS = ("F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1")


@pytest.fixture(scope="module")
def models():
    """Models by the names of their configurations, made when asked for."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = make_model(**CONFIGS[name])
        return made[name]

    return get


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", CONFIGS)
def test_float32_weights(models, load, tmp_path, name, isa):
    model = models(name)
    backend = load(write_model(tmp_path / "m.gguf", model), isa, **EXACT)
    assert_like_the_reference(backend, model)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("kind", KINDS)
def test_other_weights(models, load, tmp_path, kind, isa):
    name = "three heads share one, dim 32"
    path = write_model(tmp_path / "m.gguf", models(name), kind)
    model = read_reference(path, like=models(name).config)
    assert_like_the_reference(load(path, isa, **EXACT), model)


def test_the_reference_reads_back_what_was_written(models, tmp_path):
    model = models("grouped, tied")
    ids = some_ids(model, 30)
    again = read_reference(write_model(tmp_path / "m.gguf", model))
    np.testing.assert_array_equal(reference_logits(again, ids), reference_logits(model, ids))


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_1", "BF16"])
def test_the_fast_way_is_near_and_the_same_everywhere(models, load, tmp_path, kind):
    name = "three heads share one, dim 32"
    path = write_model(tmp_path / "m.gguf", models(name), kind)
    model = read_reference(path, like=models(name).config)
    ids = some_ids(model, 30)
    ways = [(isa, *way) for isa in ISAS for way in ((1, len(ids)), (2, 25))] + [(ISAS[0], 3, 22)]
    results = [
        prefill_and_decode(load(path, isa, threads=threads), ids, prompt)
        for isa, threads, prompt in ways
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(bits(result), bits(results[0]))
    expected = reference_logits(model, ids)
    error = results[0] - expected
    assert 0 < np.sqrt((error**2).mean()) < 0.05 * expected.std()


def test_half_precision_caches_round(models, load, tmp_path):
    model = models("grouped, tied")
    path = write_model(tmp_path / "m.gguf", model)
    ids = some_ids(model, PROMPT)
    backend = load(path, activations="float32")
    difference = np.abs(prefill_and_decode(backend, ids, PROMPT) - reference_logits(model, ids))
    assert 1e-5 < difference.max() < 0.05


def test_info_says_what_it_is(models, load, tmp_path):
    path = write_model(tmp_path / "m.gguf", models("three heads share one, dim 32"), "Q8_0")
    info = load(path, "plain", threads=2, context_length=100, num_blocks=9).info
    assert (info.name, info.vocab_size, info.context_length) == ("native", 160, 100)
    assert (info.block_size, info.num_blocks, info.threads) == (16, 9, 2)
    assert info.kv_bytes_per_token == 2 * 2 * 1 * 32 * 2
    assert "plain" in info.description
    assert "int8" in info.description
    layer = 96 * (2 * 96 + 2 * 32) + 3 * 96 * 160
    weights = 2 * layer + 160 * 96
    norms = 5 * 96 * 4
    assert weights * 34 // 32 + norms <= info.weight_bytes < weights * 34 // 32 + norms + 2000


def test_contexts_default_to_the_models_own(models, load, tmp_path):
    info = load(write_model(tmp_path / "m.gguf", models("grouped, tied"))).info
    assert (info.context_length, info.num_blocks) == (256, 8192 // 16)
