"""Tiny random Qwen3-Nexts against transformers."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from support.delta_families import QWEN3_NEXT, convert
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.family_files import write_family
from support.kernel_bench import bits
from support.reference_model import EXACT, assert_like_the_reference, prefill_and_decode, some_ids
from support.state_families import change_config

from foretell.errors import ModelFileError, UnsupportedModelError


class TestQwen3Next(FamilyContract):
    family = QWEN3_NEXT
    models: ClassVar = {
        "two values a key": {},
        "as many keys as values": {
            "linear_num_key_heads": 4,
            "linear_key_head_dim": 24,
            "linear_conv_kernel_dim": 3,
            "tie_word_embeddings": True,
            "seed": 2,
        },
    }
    only_folders: ClassVar = {
        "biases": {"attention_bias": True},
        "weights of all experts": {"norm_topk_prob": False},
        "some dense": {"mlp_only_layers": [0, 1]},
        "half rotated": {
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "partial_rotary_factor": 0.5,
            }
        },
        "attention alone": {"layer_types": ["full_attention"] * 3},
        "kinds as usual": {"layer_types": None, "num_hidden_layers": 4},
    }


def test_first_files_have_queries_keys_values_and_gates_in_one(tmp_path, load):
    model = make_once(TestQwen3Next, "two values a key")
    first = replace(QWEN3_NEXT, convert=convert)
    backend = load(write_family(tmp_path / "first.gguf", first, model), **EXACT)
    assert_like_the_reference(backend, model)
    later = load(write_family(tmp_path / "later.gguf", QWEN3_NEXT, model), **EXACT)
    ids = some_ids(model, 30)
    found, expected = (prefill_and_decode(one, ids, 25) for one in (backend, later))
    np.testing.assert_array_equal(bits(found), bits(expected))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hidden_act": "gelu"}, "an activation other than silu"),
        ({"linear_num_value_heads": 3}, "3 heads cannot share 2 key heads"),
        ({"linear_value_head_dim": 8}, "a state of 8 values a head"),
        ({"linear_key_head_dim": 6}, "a state of 152 channels"),
        ({"layer_types": ["linear_attention", "conv", "conv"]}, "layer_types must be one of"),
        ({"layer_types": ["linear_attention"] * 2}, "for each of 3 layers"),
        ({"num_experts": 0}, "'num_experts' is 0"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(tmp_path, config, message):
    folder = save(tmp_path, make_once(TestQwen3Next, "two values a key"))
    change_config(folder, config)
    with pytest.raises((UnsupportedModelError, ModelFileError), match=message):
        load_folder(folder)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ssm.group_count": 3}, "4 heads cannot share 3 key heads"),
        ({"ssm.time_step_rank": 5}, "128 channels cannot be 5 heads"),
        ({"nextn_predict_layers": 1}, "nextn_predict_layers"),
        ({"attention.recurrent_layers": [True, False, True]}, "attention.recurrent_layers"),
    ],
)
def test_what_a_file_says_that_cannot_be_is_refused_by_name(tmp_path, load, more, message):
    model = make_once(TestQwen3Next, "two values a key")
    path = write_family(tmp_path / "m.gguf", QWEN3_NEXT, model, more=more)
    with pytest.raises((UnsupportedModelError, ModelFileError), match=message):
        load(path)
