"""Tiny random DeepSeek V3s against transformers."""

from __future__ import annotations

import copy
import json
from typing import ClassVar

import pytest
from support.adapters import Adapter
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.latent_files import DEEPSEEK_V3, YARN
from support.quantized_folders import Scaled, fp8_config, save_quantized_mixture
from support.reference_model import EXACT, assert_like_the_reference

from foretell.backends.native.options import AdapterChoice
from foretell.errors import UnsupportedModelError

WIDE = {"hidden_size": 256, "moe_intermediate_size": 128, "kv_lora_rank": 128, "q_lora_rank": 128}


class TestDeepseekV3(FamilyContract):
    family = DEEPSEEK_V3
    models: ClassVar = {
        "tiny": {},
        "tied, stretched, norms of their own": {
            "tie_word_embeddings": True,
            "rope_parameters": YARN,
            "rms_norm_eps": 0.1,
            "seed": 2,
        },
        "queries of the row": {
            "q_lora_rank": None,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "seed": 3,
        },
    }
    only_folders: ClassVar = {
        "pairs apart": {"rope_interleave": False},
        "biases": {"attention_bias": True},
        "two weights of YaRN": {"rope_parameters": YARN | {"mscale": 1.0}},
        "none normed": {"norm_topk_prob": False, "n_group": 1, "topk_group": 1},
    }


def test_kimi_k2_is_one(tmp_path):
    model = make_once(TestDeepseekV3, "tiny")
    path = save(tmp_path, model) / "config.json"
    path.write_text(path.read_text().replace('"deepseek_v3"', '"kimi_k2"'))
    assert_like_the_reference(load_folder(tmp_path, **EXACT), model)


@pytest.mark.parametrize("block", [(128, 128), (32, 128)], ids=str)
def test_blocks_of_float8(tmp_path, block):
    """As DeepSeek publishes them."""
    writer = Scaled(block=block)
    config = fp8_config() | {"weight_block_size": list(block)}
    made = save_quantized_mixture(tmp_path, writer, config, family=DEEPSEEK_V3, **WIDE)
    assert_like_the_reference(load_folder(made.folder, **EXACT), made.model)


def test_an_adapter_of_keys_and_values(tmp_path):
    """Part of what it changes is transposed."""
    model = make_once(TestDeepseekV3, "tiny")
    adapter = Adapter(targets=("kv_b_proj", "q_b_proj"), size=0.1)
    path = adapter.save(tmp_path / "adapter", model)
    merged = adapter.merge(path, copy.deepcopy(model))
    folder = save(tmp_path / "model", model)
    backend = load_folder(folder, adapters=[AdapterChoice(path)], **EXACT)
    assert_like_the_reference(backend, merged)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scoring_func": "softmax"}, "a scoring_func other than sigmoid is not supported"),
        ({"topk_method": "greedy"}, "a topk_method other than noaux_tc is not supported"),
        ({"moe_layer_freq": 2}, "moe_layer_freq other than 1 is not supported"),
        ({"mlp_bias": True}, "mlp_bias=true is not supported"),
        ({"hidden_act": "gelu"}, "an activation other than silu is not supported"),
        ({"num_key_value_heads": 2}, "fewer heads of keys than of queries share is not supported"),
        ({"v_head_dim": 24}, "latent attention whose value is 24"),
        ({"kv_lora_rank": 40}, "latent attention whose rank is 40|a head of 56 values"),
        ({"qk_nope_head_dim": 24}, "latent attention whose plain is 24"),
    ],
    ids=str,
)
def test_what_the_plan_would_leave_out_is_refused(tmp_path, changes, message):
    model = make_once(TestDeepseekV3, "tiny")
    path = save(tmp_path, model) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UnsupportedModelError, match=message):
        load_folder(tmp_path)
