"""Tiny random SmolLM3s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import SMOLLM3


class TestSmolLM3(FamilyContract):
    family = SMOLLM3
    models: ClassVar = {
        "tied": {"tie_word_embeddings": True},
        "one layer": {"num_hidden_layers": 1},
    }
    only_folders: ClassVar = {
        "other layers": {"no_rope_layers": [1, 0, 0, 1, 1], "seed": 3},
        "windows": {"use_sliding_window": True, "sliding_window": 13, "seed": 4},
        "biases": {"attention_bias": True, "mlp_bias": True, "seed": 5},
    }
