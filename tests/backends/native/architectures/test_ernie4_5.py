"""Tiny random ERNIE 4.5s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import ERNIE4_5


class TestErnie45(FamilyContract):
    family = ERNIE4_5
    models: ClassVar = {
        "tied": {},
        "biases": {"use_bias": True, "tie_word_embeddings": False, "seed": 2},
    }
