"""Tiny random Phi-3.5-MoEs against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.mixture_files import PHIMOE

LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "short_factor": [1.0, 1.1, 1.2, 1.3, 1.5, 2.0, 2.5, 3.0],
    "long_factor": [2.0, 2.1, 2.2, 2.3, 2.5, 3.0, 3.5, 4.0],
    "original_max_position_embeddings": 256,
    "short_mscale": 1.2,
    "long_mscale": 1.2,
}


class TestPhiMoe(FamilyContract):
    family = PHIMOE
    only_folders: ClassVar = {
        "more noise": {"router_jitter_noise": 0.3},
        "biases": {"attention_bias": True, "lm_head_bias": True},
        "tied": {"tie_word_embeddings": True},
        "windows": {"sliding_window": 13},
        "longrope": {"rope_parameters": LONGROPE},
    }
