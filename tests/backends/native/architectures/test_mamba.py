"""Tiny random Mambas and Falcon Mambas against transformers."""

from __future__ import annotations

from typing import ClassVar

import pytest
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.family_files import write_family
from support.state_families import FALCON_MAMBA, MAMBA, change_config

from foretell.errors import ModelFileError, UnsupportedModelError


class TestMamba(FamilyContract):
    family = MAMBA
    models: ClassVar = {
        "tied": {},
        "whole groups": {
            "state_size": 32,
            "time_step_rank": 32,
            "expand": 1,
            "tie_word_embeddings": False,
        },
        "odd": {"state_size": 5, "time_step_rank": 3, "conv_kernel": 2, "hidden_size": 48},
    }
    only_folders: ClassVar = {"no biases": {"use_conv_bias": False}}


class TestFalconMamba(FamilyContract):
    family = FALCON_MAMBA
    models: ClassVar = {"tied": {"seed": 3}}
    only_folders: ClassVar = {"other norms inside": {"mixer_rms_eps": 0.3}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"use_bias": True}, "use_bias=true is not supported"),
        ({"hidden_act": "gelu"}, "an activation other than silu"),
        ({"expand": 1.6}, "a state of 102 channels .not a multiple of 16. is not supported"),
        ({"state_size": 0}, "'state_size' is 0: must be an integer from 1"),
        ({"time_step_rank": "many"}, "'time_step_rank' is 'many': must be an integer"),
    ],
)
def test_what_is_left_out_is_refused_by_name(tmp_path, config, message):
    folder = save(tmp_path, make_once(TestMamba, "tied"))
    change_config(folder, config)
    with pytest.raises((UnsupportedModelError, ModelFileError), match=message):
        load_folder(folder)


def test_a_rank_that_is_not_said_is_a_sixteenth(tmp_path):
    model = make_once(TestMamba, "tied")
    folder = save(tmp_path, model)
    expected = load_folder(folder).info
    change_config(folder, {"time_step_rank": "auto"})
    assert load_folder(folder).info == expected


def test_narrow_matrices_stay_as_they_are_where_others_are_quantized(tmp_path, load):
    path = write_family(tmp_path / "m.gguf", MAMBA, make_once(TestMamba, "tied"))
    backend = load(path, quantize="q8")
    assert "in q8" in backend.info.description
