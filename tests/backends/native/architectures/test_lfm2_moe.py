"""Tiny random LFM2 mixtures against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from support.family_contract import FamilyContract, load_folder, save
from support.family_files import make_family, write_family
from support.reference_model import EXACT, assert_like_the_reference
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


def test_small_scores_weigh_less_than_their_sum(load: Any, tmp_path: Path) -> None:
    """What is added to the sum counts where the chosen scores are as small."""
    model = make_family(LFM2_MOE, num_experts=1, num_experts_per_tok=1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(".feed_forward.gate.weight"):
                weight.mul_(20)
    assert_like_the_reference(load_folder(save(tmp_path, model), **EXACT), model)
    assert_like_the_reference(
        load(write_family(tmp_path / "m.gguf", LFM2_MOE, model), **EXACT), model
    )
