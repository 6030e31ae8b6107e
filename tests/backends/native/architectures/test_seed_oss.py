"""Tiny random Seed-OSSes against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import SEED_OSS


class TestSeedOSS(FamilyContract):
    family = SEED_OSS
    models: ClassVar = {"tiny": {}}
    only_folders: ClassVar = {
        "other biases": {
            "attention_bias": False,
            "attention_out_bias": True,
            "mlp_bias": True,
            "seed": 2,
        }
    }
