"""Tiny random Qwen 3s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.family_files import QWEN3


class TestQwen3(FamilyContract):
    family = QWEN3
    models: ClassVar = {"tied": {"tie_word_embeddings": True, "seed": 4}}
    only_folders: ClassVar = {
        "windows above": {
            "use_sliding_window": True,
            "sliding_window": 15,
            "max_window_layers": 1,
            "seed": 9,
        }
    }
