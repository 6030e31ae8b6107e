"""Tiny random MiniCPM 3s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.latent_files import MINICPM3

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
