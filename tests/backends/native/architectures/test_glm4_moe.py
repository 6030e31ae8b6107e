"""Tiny random Glm4Moes against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.mixture_files import GLM4_MOE


class TestGlm4Moe(FamilyContract):
    family = GLM4_MOE
    models: ClassVar = {
        "tied": {"tie_word_embeddings": True},
        "norms and biases": {"use_qk_norm": True, "attention_bias": True},
    }
    only_folders: ClassVar = {"none dense": {"first_k_dense_replace": 0}}
