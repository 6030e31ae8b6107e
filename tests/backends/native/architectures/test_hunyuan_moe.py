"""Tiny random HunyuanMoes against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from support.family_contract import FamilyContract, edit_config, load_folder, make_once, save
from support.family_files import make_family
from support.mixture_files import HUNYUAN_MOE
from support.reference_model import EXACT, assert_like_the_reference

from foretell.errors import ModelFileError, UnsupportedModelError


class TestHunyuanMoe(FamilyContract):
    family = HUNYUAN_MOE
    models: ClassVar = {"tied": {"tie_word_embeddings": True}, "untied": {"seed": 3}}
    only_folders: ClassVar = {}


def test_published_configs_list_what_each_layer_has(tmp_path: Path) -> None:
    """Of experts that are as wide as `intermediate_size` says, nothing else."""
    model = make_family(HUNYUAN_MOE, moe_topk=[2, 2], moe_intermediate_size=[96, 96])
    folder = save(tmp_path, model)
    assert_like_the_reference(load_folder(folder, **EXACT), model)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"moe_topk": [2, 1]}, UnsupportedModelError, "a moe_topk that is not the same for all"),
        ({"moe_topk": []}, UnsupportedModelError, "a moe_topk that is not the same for all"),
        ({"moe_topk": 7}, ModelFileError, "'moe_topk' is 7: must be an integer from 1 to 6"),
        ({"moe_topk": [7, 7]}, ModelFileError, "'moe_topk' is 7: must be an integer from 1 to 6"),
        ({"moe_topk": [2, "2"]}, ModelFileError, r"'moe_topk\[1\]' is '2': must be one of"),
    ],
)
def test_lists_that_no_plan_computes(
    tmp_path: Path, changes: dict[str, object], error: type[Exception], message: str
) -> None:
    folder = save(tmp_path, make_once(TestHunyuanMoe, "tied"))
    with pytest.raises(error, match=message):
        load_folder(edit_config(folder, **changes))
