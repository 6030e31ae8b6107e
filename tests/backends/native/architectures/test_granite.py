"""Tiny random Granites against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import GRANITE


class TestGranite(FamilyContract):
    family = GRANITE
    models: ClassVar = {
        "tied": {"tie_word_embeddings": True},
        "biases": {"attention_bias": True, "mlp_bias": True, "seed": 2},
    }
