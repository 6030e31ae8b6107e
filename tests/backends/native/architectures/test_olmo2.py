"""Tiny random OLMo 2s and 3s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import OLMO2, OLMO3


class TestOLMo2(FamilyContract):
    family = OLMO2
    models: ClassVar = {"tiny": {}}
    only_folders: ClassVar = {"biases": {"attention_bias": True, "seed": 2}}


YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0} | {
    "original_max_position_embeddings": 32
}


class TestOLMo3(FamilyContract):
    family = OLMO3
    models: ClassVar = {
        "tiny": {},
        "stretched": {
            "rope_parameters": {
                "full_attention": YARN,
                "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
            },
            "seed": 2,
        },
    }
