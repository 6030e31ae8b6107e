"""Tiny random EXAONE 4s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import EXAONE4


class TestEXAONE4(FamilyContract):
    family = EXAONE4
    models: ClassVar = {
        "tiny": {},
        "no windows": {
            "num_hidden_layers": 2,
            "sliding_window": None,
            "layer_types": ["full_attention"] * 2,
            "seed": 2,
        },
    }
    only_folders: ClassVar = {
        "a window that no layer has": {
            "num_hidden_layers": 2,
            "sliding_window": 4096,
            "layer_types": ["full_attention"] * 2,
        },
    }
