"""Tiny random LFM2 mixtures against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.state_families import LFM2_MOE


class TestLFM2MoE(FamilyContract):
    family = LFM2_MOE
    models: ClassVar = {
        "half and half": {},
        "no bias": {"use_expert_bias": False},
        "scaled, none dense": {"routed_scaling_factor": 1.5, "num_dense_layers": 0},
    }
    only_folders: ClassVar = {
        "as they are": {"norm_topk_prob": False},
        "two dense": {"num_dense_layers": 2},
        "untied": {"tie_word_embeddings": False},
    }
