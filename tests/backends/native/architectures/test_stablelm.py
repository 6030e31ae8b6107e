"""Tiny random StableLMs against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import STABLELM


class TestStableLM(FamilyContract):
    family = STABLELM
    models: ClassVar = {
        "tiny": {},
        "side by side": {
            "use_parallel_residual": True,
            "use_qkv_bias": True,
            "partial_rotary_factor": 0.5,
            "seed": 2,
        },
    }
