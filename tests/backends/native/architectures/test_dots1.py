"""Tiny random Dots1s against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from support.family_contract import FamilyContract, edit_config, load_folder, save
from support.family_files import make_family
from support.mixture_files import DOTS1
from support.reference_model import EXACT, assert_like_the_reference


class TestDots1(FamilyContract):
    family = DOTS1
    models: ClassVar = {
        "tied": {"tie_word_embeddings": True},
        "two shares": {"norm_topk_prob": False, "n_group": 1, "topk_group": 1},
    }
    only_folders: ClassVar = {
        "biases": {"attention_bias": True},
        "a window on the last": {
            "sliding_window": 13,
            "layer_types": ["full_attention", "sliding_attention"],
        },
        "windows on all": {"sliding_window": 13, "max_window_layers": 0},
        "none dense": {"first_k_dense_replace": 0},
    }


@pytest.mark.parametrize("window", [13, None])
def test_layers_without_kinds_have_windows_from_one_on(tmp_path: Path, window: int | None) -> None:
    model = make_family(DOTS1, sliding_window=window, max_window_layers=1, num_hidden_layers=3)
    save(tmp_path, model)
    folder = edit_config(tmp_path, without=["layer_types"])
    assert_like_the_reference(load_folder(folder, **EXACT), model)
