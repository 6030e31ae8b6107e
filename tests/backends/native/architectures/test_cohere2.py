"""Tiny random Command R7Bs against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import COHERE2


class TestCohere2(FamilyContract):
    family = COHERE2
    models: ClassVar = {"tiny": {}}
    only_folders: ClassVar = {
        "layers of its own": {
            "num_hidden_layers": 3,
            "layer_types": ["full_attention", "sliding_attention", "full_attention"],
            "seed": 2,
        }
    }
