"""Tiny random Granite 4 Hs against transformers."""

from __future__ import annotations

from typing import ClassVar

import pytest
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.state_families import GRANITE_HYBRID, change_config

from foretell.errors import ModelFileError, UnsupportedModelError


class TestGraniteHybrid(FamilyContract):
    family = GRANITE_HYBRID
    models: ClassVar = {
        "hybrid": {},
        "rotated, groups": {"position_embedding_type": "rope", "mamba_n_groups": 2},
    }
    only_folders: ClassVar = {
        "no biases": {"mamba_conv_bias": False},
        "attention alone": {  # whose files are Granite's
            "layer_types": ["full_attention"] * 3,
            "position_embedding_type": "rope",
        },
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_local_experts": 2}, "a mixture of experts is not supported"),
        ({"mamba_proj_bias": True}, "mamba_proj_bias=true is not supported"),
        ({"mamba_d_head": 16}, "4 heads of 16 are not 128 channels"),
        ({"layer_types": ["full_attention", "conv", "mamba"]}, "layer_types must be one of"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(tmp_path, config, message):
    folder = save(tmp_path, make_once(TestGraniteHybrid, "hybrid"))
    change_config(folder, config)
    with pytest.raises((UnsupportedModelError, ModelFileError), match=message):
        load_folder(folder)


def test_kinds_of_layers_of_older_configs(tmp_path):
    folder = save(tmp_path, make_once(TestGraniteHybrid, "hybrid"))
    expected = load_folder(folder).info
    change_config(folder, {"layer_types": ["mamba", "attention", "mamba"], "mamba_d_head": "auto"})
    assert load_folder(folder).info == expected
