"""Tiny random LFM2s against transformers."""

from __future__ import annotations

from typing import ClassVar

import pytest
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.family_files import write_family
from support.state_families import LFM2, change_config

from foretell.errors import ModelFileError, UnsupportedModelError


class TestLFM2(FamilyContract):
    family = LFM2
    models: ClassVar = {
        "half and half": {},
        "attention first": {"full_attn_idxs": [0], "conv_L_cache": 4},
        "attention alone": {"num_hidden_layers": 2, "full_attn_idxs": [0, 1]},
    }
    only_folders: ClassVar = {
        "a width as it is": {"block_auto_adjust_ff_dim": False},
        "a wider one": {"block_ffn_dim_multiplier": 1.3},
        "untied": {"tie_word_embeddings": False},
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"conv_bias": True}, "conv_bias=true is not supported"),
        ({"layer_types": ["conv"] * 3}, "layer_types must be one of 'full_attention', 'conv' for"),
        ({"layer_types": ["conv"] * 3 + ["moe"]}, "for each of 4 layers"),
        ({"conv_L_cache": 0}, "'conv_L_cache' is 0: must be an integer from 1"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(tmp_path, config, message):
    folder = save(tmp_path, make_once(TestLFM2, "half and half"))
    change_config(folder, config)
    with pytest.raises((UnsupportedModelError, ModelFileError), match=message):
        load_folder(folder)


def test_names_of_older_configs(tmp_path):
    folder = save(tmp_path, make_once(TestLFM2, "half and half"))
    expected = load_folder(folder).info
    old = {"rope_parameters": None, "layer_types": None, "intermediate_size": 1}
    change_config(folder, {**old, "block_ff_dim": 96, "tie_embedding": True})
    assert load_folder(folder).info == expected


def test_heads_of_keys_are_one_number_or_none(tmp_path, load):
    model = make_once(TestLFM2, "half and half")
    more = {"attention.head_count_kv": [0, 1, 0, 2]}
    path = write_family(tmp_path / "m.gguf", LFM2, model, more=more)
    with pytest.raises(ModelFileError, match="must be 0, or one number up to 4, by layers"):
        load(path)
