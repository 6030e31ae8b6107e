"""Tiny random Dots1s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.mixture_files import DOTS1


class TestDots1(FamilyContract):
    family = DOTS1
    models: ClassVar = {
        "tied": {"tie_word_embeddings": True},
        "two shares": {"norm_topk_prob": False, "n_group": 1, "topk_group": 1},
    }
    only_folders: ClassVar = {
        "biases": {"attention_bias": True},
        "none dense": {"first_k_dense_replace": 0},
    }
