"""Tiny random Phis 1 and 2 against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.gpt_files import PHI


class TestPhi(FamilyContract):
    family = PHI
    models: ClassVar = {
        "tiny": {},
        "kv heads": {
            "hidden_size": 128,
            "num_key_value_heads": 2,
            "partial_rotary_factor": 0.25,
            "seed": 1,
        },
    }
    only_folders: ClassVar = {"normed heads": {"qk_layernorm": True, "seed": 2}}
