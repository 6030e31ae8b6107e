"""Tiny random Phi-3s and Phi-4s against transformers; test_rope_scalings.py stretches them."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import PHI3

ROPE = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "partial_rotary_factor": 0.75,
    "short_factor": [1.0 + pair for pair in range(12)],
    "long_factor": [1.0 + 2 * pair for pair in range(12)],
}


class TestPhi3(FamilyContract):
    family = PHI3
    models: ClassVar = {
        "a window": {},
        "three quarters of a head": {
            "hidden_size": 128,
            "num_attention_heads": 4,
            "original_max_position_embeddings": 32,
            "rope_parameters": ROPE,
            "sliding_window": None,
            "tie_word_embeddings": True,
            "seed": 4,
        },
    }
    only_folders: ClassVar = {"no window": {"sliding_window": None, "seed": 3}}
