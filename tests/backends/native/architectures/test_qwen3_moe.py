"""Tiny random Qwen3Moes against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.mixture_files import QWEN3_MOE


class TestQwen3Moe(FamilyContract):
    family = QWEN3_MOE
    models: ClassVar = {
        "tied": {"tie_word_embeddings": True},
        "many": {"num_experts": 40, "num_experts_per_tok": 8},
    }
    only_folders: ClassVar = {
        "not normalized": {"norm_topk_prob": False},
        "windows": {"use_sliding_window": True, "sliding_window": 13},
        "each second": {"decoder_sparse_step": 2, "num_hidden_layers": 3},
    }
