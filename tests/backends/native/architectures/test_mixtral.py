"""Tiny random Mixtrals against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.mixture_files import MIXTRAL


class TestMixtral(FamilyContract):
    family = MIXTRAL
    models: ClassVar = {
        "tied": {"tie_word_embeddings": True},
        "one expert": {"num_local_experts": 1, "num_experts_per_tok": 1},
    }
    only_folders: ClassVar = {"window": {"sliding_window": 15}}
