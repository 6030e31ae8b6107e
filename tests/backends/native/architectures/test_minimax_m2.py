"""Tiny random MiniMax-M2s against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from support.checkpoint_folders import logits_of
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.mixture_files import MINIMAX_M2
from support.state_families import change_config

from foretell.errors import UnsupportedModelError


class TestMiniMaxM2(FamilyContract):
    family = MINIMAX_M2
    models: ClassVar = {"tied": {"tie_word_embeddings": True}, "rotated whole": {"rotary_dim": 32}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"scoring_func": "softmax"}, "scoring_func other than 'sigmoid' is not supported"),
        ({"shared_intermediate_size": 64}, "shared_intermediate_size other than 0"),
        ({"attn_type_list": [1, 0]}, "linear attention"),
    ],
)
def test_what_is_not_computed_is_refused(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    folder = save(tmp_path, make_once(TestMiniMaxM2, "tied"))
    change_config(folder, config)
    with pytest.raises(UnsupportedModelError, match=message):
        load_folder(folder)


def test_what_makers_say_besides(tmp_path: Path) -> None:
    folder = save(tmp_path, make_once(TestMiniMaxM2, "tied"))
    expected = logits_of(load_folder(folder))
    usual = {"scoring_func": "sigmoid", "use_routing_bias": True, "attn_type_list": [1, 1]}
    change_config(folder, {**usual, "rope_parameters": None, "rotary_dim": 16})
    change_config(folder, {"rope_theta": 5_000_000.0})
    np.testing.assert_array_equal(logits_of(load_folder(folder)), expected)
