"""Tiny random Gemma 4s against transformers."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from support.backend_contract import Piece, run
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.family_files import make_family, write_family
from support.gemma4_files import FULL, GEMMA4
from support.kernel_bench import bits
from support.llama_files import reference_logits
from support.reference_model import EXACT, assert_like_the_reference, some_ids
from transformers import Gemma4Config, Gemma4ForConditionalGeneration

from foretell.errors import ModelFileError, UnsupportedModelError

NEAR = ["sliding_attention"] * 3
VISION = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "patch_size": 4,
    "position_embedding_size": 16,
}
SHARED = {"num_kv_shared_layers": 2, "use_double_wide_mlp": True}
EXPERTS = {
    "enable_moe_block": True,
    "num_experts": 6,
    "top_k_experts": 2,
    "moe_intermediate_size": 32,
}
ROPES = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 3_000.0},
    FULL: {"rope_type": "proportional", "partial_rotary_factor": 0.5, "rope_theta": 20_000.0},
}


class TestGemma4(FamilyContract):
    family = GEMMA4
    models: ClassVar[dict[str, dict[str, Any]]] = {
        "small": {**SHARED, "num_key_value_heads": 1},
        "large": {
            "hidden_size_per_layer_input": 0,
            "attention_k_eq_v": True,
            "num_global_key_value_heads": 1,
            "final_logit_softcapping": 30.0,
            "rope_parameters": ROPES,
            "seed": 2,
        },
        "mixture": {
            **EXPERTS,
            "hidden_size_per_layer_input": 0,
            "attention_k_eq_v": True,
            "num_global_key_value_heads": 1,
            "seed": 3,
        },
    }
    only_folders: ClassVar[dict[str, dict[str, Any]]] = {
        "all at once": {
            **SHARED,
            **EXPERTS,
            "attention_k_eq_v": True,
            "tie_word_embeddings": False,
            "attention_bias": True,
            "seed": 4,
        },
        "usual layers": {"layer_types": None, "num_hidden_layers": 12, "seed": 5},
    }


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"use_bidirectional_attention": "all"}, UnsupportedModelError, "attention='all'"),
        ({"hidden_activation": "silu"}, UnsupportedModelError, "an activation other than gelu"),
        ({"vocab_size_per_layer_input": 90}, UnsupportedModelError, "other than vocab_size"),
        ({"num_kv_shared_layers": 4}, ModelFileError, "the last 4 of 5 layers share keys"),
        (
            {"per_layer_config": {"1": {"head_dim": 32, "sliding_window": 4}}},
            UnsupportedModelError,
            "sliding_window in per_layer_config",
        ),
        (
            {**EXPERTS, "moe_intermediate_size": 33},
            UnsupportedModelError,
            "experts of 33 values",
        ),
        ({"per_layer_config": {"5": {}}}, ModelFileError, "the number of one of 5 layers"),
        ({"per_layer_config": {"all": {}}}, ModelFileError, "the number of one of 5 layers"),
        (
            {"per_layer_config": {"1": {"head_dim": 32}}},
            UnsupportedModelError,
            "heads of several lengths in layers of one kind",
        ),
        (
            {"per_layer_config": {"3": {"num_key_value_heads": 4}}},
            ModelFileError,
            "layer 3 shares the keys and values of layer 1: must have as many heads",
        ),
    ],
)
def test_other_settings_are_refused(tmp_path, change, error, message):
    folder = save(tmp_path, make_once(TestGemma4, "small"))
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(error, match=message):
        load_folder(folder)


def test_a_folder_of_before_layers_had_configs_of_their_own(tmp_path):
    """As hubs have them: the sizes of layers that see all by keys of their own."""
    model = make_once(TestGemma4, "large")
    folder = save(tmp_path, model)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    del config["per_layer_config"]
    path.write_text(json.dumps(config | {"global_head_dim": 32, "num_global_key_value_heads": 1}))
    assert load_folder(folder).info.kv_bytes_per_token == 2 * 2 * (3 * 2 * 16 + 2 * 1 * 32)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"attention.head_count_kv": [1, 1]}, "must be 5 numbers, one a layer"),
        ({"feed_forward_length": [96, 96, 96, 96, 0]}, "must be 5 numbers, one a layer"),
        ({"attention.value_length_swa": 32}, "a value head longer or shorter"),
        ({"attention.head_count_kv": [1, 1, 1, 2, 1]}, "layer 3 shares the keys and values of"),
        ({"attention.sliding_window_pattern": 6}, "sliding_window_pattern.* a list of booleans"),
        ({"attention.sliding_window": 0}, "sliding_window' is 0"),
    ],
)
def test_files_that_make_no_sense_are_refused(load, tmp_path, more, message):
    model = make_once(TestGemma4, "small")
    path = write_family(tmp_path / "m.gguf", GEMMA4, model, more=more)
    with pytest.raises((ModelFileError, UnsupportedModelError), match=message):
        load(path)


def test_files_must_say_how_far_heads_turn(load, tmp_path):
    """As for llama.cpp: without divisors all of a head that sees all would be rotated."""
    family = replace(GEMMA4, tensors=lambda model: {})
    path = write_family(tmp_path / "m.gguf", family, make_once(TestGemma4, "large"))
    with pytest.raises(ModelFileError, match=r"rope_freqs.*is missing"):
        load(path)


def test_files_whose_model_must_not_write_some_tokens_are_refused(load, tmp_path):
    more = {"tokenizer.ggml.suppress_tokens": [5]}
    model = make_once(TestGemma4, "large")
    path = write_family(tmp_path / "m.gguf", GEMMA4, model, more_beyond=more)
    with pytest.raises(UnsupportedModelError, match="suppress_tokens' is not supported"):
        load(path)


def test_logits_are_capped_as_usual_where_a_file_does_not_say_how(load, tmp_path):
    """As in llama.cpp: within 30."""
    model = make_once(TestGemma4, "large")
    assert model.config.final_logit_softcapping == 30
    without = {"final_logit_softcapping"}
    path = write_family(tmp_path / "m.gguf", GEMMA4, model, without=without)
    assert_like_the_reference(load(path, **EXACT), model)


def test_how_wide_experts_are_does_not_matter_where_there_are_none(load, tmp_path):
    """Converters may say it of models without any."""
    more = {"expert_feed_forward_length": 32}
    path = write_family(tmp_path / "m.gguf", GEMMA4, make_once(TestGemma4, "large"), more=more)
    assert load(path).info.vocab_size == 160


def test_the_last_layer_sees_all_whatever_a_config_says(tmp_path):
    """And rotations are as usual where it does not say how: both as in transformers."""
    sizes = {"layer_types": [*NEAR], "num_hidden_layers": 3, "hidden_size_per_layer_input": 0}
    model = make_family(GEMMA4, **sizes)
    folder = save(tmp_path, model)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    assert config["layer_types"][-1] == FULL
    path.write_text(json.dumps(config | {"layer_types": NEAR, "rope_parameters": None}))
    assert_like_the_reference(load_folder(folder, **EXACT), model)


def test_of_what_reads_pictures_and_hears_the_text_part_is_run(tmp_path):
    """What is left out is told, but for keys and values that transformers itself skips."""
    model = make_once(TestGemma4, "small")
    config = Gemma4Config(text_config=model.config.to_dict(), vision_config=VISION)
    whole = Gemma4ForConditionalGeneration(config)
    whole.model.language_model.load_state_dict(model.model.state_dict())
    prefix = "model.language_model.layers.4.self_attn"
    further = {f"{prefix}.{name}.weight": torch.ones(32) for name in ("k_proj", "k_norm")}
    whole.save_pretrained(tmp_path, state_dict=whole.state_dict() | further)
    backend = load_folder(tmp_path, **EXACT)
    assert_like_the_reference(backend, model)
    assert backend.unread
    assert all("vision" in name for name in backend.unread)


def test_threads_share_long_contexts_of_layers_with_heads_of_several_lengths(tmp_path):
    """Far into a text few tokens share its chunks, whose parts lie elsewhere for longer heads."""
    model = make_family(GEMMA4, **SHARED, max_position_embeddings=1024, sliding_window=300)
    folder, ids = save(tmp_path, model), some_ids(model, 560)
    table = list(range(36))
    ends = [300, 550, 553, *range(554, 561)]
    pieces = [Piece(ids[begin:end], table, begin) for begin, end in pairwise([0, *ends])]
    results = []
    for threads in (1, 2, 3):
        backend = load_folder(folder, **EXACT | {"threads": threads})
        results.append(np.concatenate([run(backend, piece) for piece in pieces]))
        np.testing.assert_array_equal(bits(results[0]), bits(results[-1]), f"{threads} threads")
    np.testing.assert_allclose(results[0], reference_logits(model, ids), rtol=0, atol=1e-4)
