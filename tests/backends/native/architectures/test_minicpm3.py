"""Tiny random MiniCPM 3s against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from support.family_contract import FamilyContract, edit_config, load_folder, save
from support.family_files import make_family
from support.latent_files import MINICPM3
from support.reference_model import EXACT, assert_like_the_reference

STRETCHED = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "original_max_position_embeddings": 32,
    "short_factor": [1.0 + pair for pair in range(8)],
    "long_factor": [1.0 + 2 * pair for pair in range(8)],
}


class TestMiniCPM3(FamilyContract):
    family = MINICPM3
    models: ClassVar = {
        "tied, stretched": {"rope_parameters": STRETCHED},
        "untied": {"tie_word_embeddings": False, "seed": 2},
    }
    only_folders: ClassVar = {
        "other factors": {"scale_emb": 3.0, "scale_depth": 2.0, "dim_model_base": 32}
    }


def test_null_is_no_factor(tmp_path: Path) -> None:
    """Neither of residuals nor of logits, whatever the usual ones are."""
    nulls = {"scale_depth": None, "dim_model_base": None}
    model = make_family(MINICPM3, **nulls)
    folder = edit_config(save(tmp_path, model), **nulls)
    assert_like_the_reference(load_folder(folder, **EXACT), model)
