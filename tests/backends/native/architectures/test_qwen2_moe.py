"""Tiny random Qwen2Moes against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.mixture_files import QWEN2_MOE


class TestQwen2Moe(FamilyContract):
    family = QWEN2_MOE
    models: ClassVar = {"tied": {"tie_word_embeddings": True}, "untied": {"seed": 2}}
    only_folders: ClassVar = {
        "normalized": {"norm_topk_prob": True},
        "some dense": {"mlp_only_layers": [0], "num_hidden_layers": 3},
    }
