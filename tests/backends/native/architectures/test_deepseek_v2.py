"""Tiny random DeepSeek V2s against transformers, and files as older converters wrote them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import ClassVar

import gguf
import numpy as np
import pytest
import torch
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.family_files import make_family, write_family
from support.latent_files import DEEPSEEK_V2, DEEPSEEK_V3, OLDER_DEEPSEEK_V2, YARN
from support.llama_files import Stored
from support.reference_model import EXACT, assert_like_the_reference

from foretell.backends.native.architectures import read_model
from foretell.backends.native.weights.gguf_weights import GGUFWeights
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.gguf import GGUFFile
from foretell.formats.types import TensorType

GROUPS = {"topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2}


class TestDeepseekV2(FamilyContract):
    family = DEEPSEEK_V2
    models: ClassVar = {
        "groups": GROUPS,
        "queries of the row, stretched": {"q_lora_rank": None, "rope_parameters": YARN, "seed": 2},
    }
    only_folders: ClassVar = {"a louder rotation": {"rope_parameters": YARN | {"mscale": 1.0}}}


class TestOlderFiles(FamilyContract):
    """Keys and values of all heads in one matrix, and no word of the kind of scores."""

    family = OLDER_DEEPSEEK_V2
    models: ClassVar = {"tiny": {}, "stretched": {"rope_parameters": YARN, "seed": 2}}


def in_codes(model, kind):
    """The model, whose keys and values are made by weights that blocks of this type hold."""
    raw = gguf.GGMLQuantizationType(kind.ggml_id)
    for layer in model.model.layers:
        weight = layer.self_attn.kv_b_proj.weight
        codes = gguf.quantize(weight.detach().numpy(), raw)
        weight.data = torch.from_numpy(gguf.dequantize(codes, raw).astype(np.float32))
    return model


def quantized_file(path, family, model, kind):
    """Its file, those weights in their blocks."""
    raw = gguf.GGMLQuantizationType(kind.ggml_id)

    def convert(config, name, values):
        found = family.convert(config, name, values)
        if "kv_b_proj" not in name:
            return found
        return {own: Stored(kind, gguf.quantize(part, raw)) for own, part in found.items()}

    return write_family(path, replace(family, convert=convert), model)


@pytest.mark.parametrize("kind", [TensorType.Q8_0, TensorType.Q5_0], ids=lambda kind: kind.name)
def test_older_files_in_blocks(tmp_path, load, kind):
    """The part that is transposed has none, and is kept as the floats that they mean."""
    model = in_codes(make_family(OLDER_DEEPSEEK_V2, kv_lora_rank=64), kind)
    path = quantized_file(tmp_path / "m.gguf", OLDER_DEEPSEEK_V2, model, kind)
    assert_like_the_reference(load(path, **EXACT), model)


def test_what_a_transposed_part_takes_is_known_before(tmp_path):
    model = make_family(OLDER_DEEPSEEK_V2, kv_lora_rank=64)
    path = quantized_file(tmp_path / "m.gguf", OLDER_DEEPSEEK_V2, model, TensorType.Q8_0)
    with GGUFFile.open(path) as file:
        plan, name = read_model(file).define(), "blk.0.attn_kv_b.weight"
        keys, values = 4 * 32 * 64, 4 * 16 * 64
        taken = GGUFWeights(file).memory([name], plan.transposed)
    assert taken == 4 * keys + values // 32 * 34


def test_files_of_v3_are_called_so_too(tmp_path, load):
    model = make_family(DEEPSEEK_V3)
    path = write_family(tmp_path / "m.gguf", DEEPSEEK_V3, model)
    assert_like_the_reference(load(path, **EXACT), model)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"expert_gating_func": 3}, "an expert_gating_func other than softmax and sigmoid"),
        ({"attention.head_count_kv": 2}, "fewer heads of keys than of queries share"),
        ({"nextn_predict_layers": 1}, "metadata 'deepseek2.nextn_predict_layers'"),
        ({"attention.temperature_scale": 0.1}, "metadata 'deepseek2.attention.temperature_scale'"),
    ],
    ids=str,
)
def test_what_a_file_says_and_the_plan_leaves_out_is_refused(tmp_path, load, more, message):
    model = make_once(TestDeepseekV2, "groups")
    path = write_family(tmp_path / "m.gguf", DEEPSEEK_V2, model, more=more)
    with pytest.raises(UnsupportedModelError, match=message):
        load(path)


def test_a_file_without_the_width_of_what_is_rotated(tmp_path, load):
    model = make_once(TestDeepseekV2, "groups")
    path = write_family(tmp_path / "m.gguf", DEEPSEEK_V2, model, without=["rope.dimension_count"])
    with pytest.raises(ModelFileError, match=r"rope\.dimension_count. is missing"):
        load(path)


def test_a_bias_of_choices_that_softmax_does_not_know_is_refused(tmp_path, load):
    path = write_family(
        tmp_path / "m.gguf", DEEPSEEK_V3, make_family(DEEPSEEK_V3), without=["expert_gating_func"]
    )
    with pytest.raises(UnsupportedModelError, match=r"the file holds 'blk\.1\.exp_probs_b\.bias'"):
        load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"norm_topk_prob": True}, "norm_topk_prob=true is not supported"),
        ({"topk_method": "noaux_tc"}, "a topk_method other than greedy or group_limited_greedy"),
        ({"scoring_func": "sigmoid"}, "a scoring_func other than softmax"),
    ],
    ids=str,
)
def test_what_the_plan_would_leave_out_is_refused(tmp_path, changes, message):
    path = save(tmp_path, make_once(TestDeepseekV2, "groups")) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UnsupportedModelError, match=message):
        load_folder(tmp_path)
