"""Tiny random mixtures of Qwen 3.5's against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.delta_families import QWEN3_5_MOE
from support.family_contract import FamilyContract


class TestQwen35Moe(FamilyContract):
    family = QWEN3_5_MOE
    models: ClassVar = {
        "as many keys as values": {"linear_num_key_heads": 4},
        "in turns": {"seed": 2, "tie_word_embeddings": True},
    }
