"""Tiny random BLOOMs against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.gpt_files import BLOOM


class TestBloom(FamilyContract):
    family = BLOOM
    models: ClassVar = {
        "tiny": {},
        "six heads": {"hidden_size": 96, "n_head": 6, "seed": 1},
    }
