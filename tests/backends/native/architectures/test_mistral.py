"""Tiny random Mistrals and Ministrals against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract, FolderContract
from support.family_files import MISTRAL
from support.kin_files import MINISTRAL


class TestMistral(FamilyContract):
    family = MISTRAL
    models: ClassVar = {"no window": {"sliding_window": None, "seed": 6}}
    only_folders: ClassVar = {"a window": {"sliding_window": 13, "seed": 5}}


class TestMinistral(FolderContract):
    family = MINISTRAL
    models: ClassVar = {
        "tiny": {},
        "layers of its own": {
            "layer_types": ["full_attention", "sliding_attention", "full_attention"],
            "seed": 2,
        },
    }
