"""Tiny random StarCoder 2s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.gpt_files import STARCODER2


class TestStarCoder2(FamilyContract):
    family = STARCODER2
    models: ClassVar = {
        "tiny": {"rope_theta": 5000.0},
        "no biases": {"use_bias": False, "tie_word_embeddings": False, "seed": 1},
    }
    only_folders: ClassVar = {"a window": {"sliding_window": 13, "seed": 2}}
