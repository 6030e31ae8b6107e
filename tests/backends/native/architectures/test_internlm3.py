"""Tiny random InternLM 3s against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from support.family_contract import FolderContract, edit_config, load_folder
from support.family_files import make_family
from support.kin_files import INTERNLM3
from support.reference_model import EXACT, assert_like_the_reference


class TestInternLM3(FolderContract):
    family = INTERNLM3
    models: ClassVar = {"tiny": {}}
    only_folders: ClassVar = {"biases": {"attention_bias": True, "mlp_bias": True, "seed": 2}}


@pytest.mark.parametrize("has_qkv", [True, False])
def test_each_key_tells_of_its_own_biases(tmp_path: Path, has_qkv: bool) -> None:
    """`qkv_bias` of queries, keys and values, `bias` of all others, as the first code had it."""
    model = make_family(INTERNLM3, attention_bias=True, mlp_bias=True, seed=3)
    weights = dict(model.state_dict())
    for name in [name for name in weights if name.endswith("_proj.bias")]:
        is_qkv = any(f".{part}_proj." in name for part in "qkv")
        if is_qkv != has_qkv:
            weights.pop(name).zero_()
    model.save_pretrained(tmp_path, state_dict=weights)
    edit_config(tmp_path, without=["attention_bias", "mlp_bias"])
    folder = edit_config(tmp_path, qkv_bias=has_qkv, bias=not has_qkv)
    assert_like_the_reference(load_folder(folder, **EXACT), model)
