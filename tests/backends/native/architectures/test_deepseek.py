"""Tiny random DeepSeek MoEs against what transformers has of their kin."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.latent_files import DEEPSEEK

from foretell.errors import UnsupportedModelError


class TestDeepseek(FamilyContract):
    family = DEEPSEEK
    models: ClassVar = {"tiny": {}, "shared heads": {"num_key_value_heads": 4, "seed": 2}}
    only_folders: ClassVar = {"none dense": {"first_k_dense_replace": 0}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scoring_func": "sigmoid"}, "a scoring_func other than softmax is not supported"),
        ({"moe_layer_freq": 2}, "moe_layer_freq other than 1 is not supported"),
    ],
    ids=str,
)
def test_what_the_plan_would_leave_out_is_refused(tmp_path, changes, message):
    path = save(tmp_path, make_once(TestDeepseek, "tiny")) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UnsupportedModelError, match=message):
        load_folder(tmp_path)
