"""Tiny random OLMos against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import OLMO


class TestOLMo(FamilyContract):
    family = OLMO
    models: ClassVar = {
        "tiny": {},
        "tied": {"tie_word_embeddings": True, "seed": 2},
        "clamped": {"clip_qkv": 0.7, "seed": 3},
    }
