"""Tiny random Mamba 2s against transformers."""

from __future__ import annotations

from typing import ClassVar

import pytest
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.state_families import MAMBA2, change_config

from foretell.errors import ModelFileError, UnsupportedModelError


class TestMamba2(FamilyContract):
    family = MAMBA2
    models: ClassVar = {
        "two groups": {},
        "one group, tied": {"n_groups": 1, "tie_word_embeddings": True, "seed": 1},
        "small heads": {"num_heads": 8, "head_dim": 16, "state_size": 24, "conv_kernel": 3},
    }
    only_folders: ClassVar = {"no biases": {"use_conv_bias": False}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"use_bias": True}, "use_bias=true is not supported"),
        ({"time_step_limit": [0.0, 0.1]}, "a time_step_limit other than 0 to infinity"),
        ({"num_heads": 16, "head_dim": 8}, "8 channels for each of 16 heads .not a multiple"),
        ({"num_heads": 3, "head_dim": 32}, "3 heads of 32 are not 128 channels"),
        ({"num_heads": 2, "head_dim": 64, "n_groups": 4}, "2 heads cannot be 4 groups"),
        ({"state_size": 3}, "a state of 140 channels .not a multiple of 16"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(tmp_path, config, message):
    folder = save(tmp_path, make_once(TestMamba2, "two groups"))
    change_config(folder, config)
    with pytest.raises((UnsupportedModelError, ModelFileError), match=message):
        load_folder(folder)
