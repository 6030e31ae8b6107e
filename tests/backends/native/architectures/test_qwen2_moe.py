"""Tiny random Qwen2Moes against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from support.family_contract import FamilyContract, make_once, save
from support.mixture_files import QWEN2_MOE

from foretell.backends.native.architectures.qwen2_moe import Qwen2Moe
from foretell.backends.native.plan import Plan
from foretell.formats.checkpoint import Checkpoint


class TestQwen2Moe(FamilyContract):
    family = QWEN2_MOE
    models: ClassVar = {"tied": {"tie_word_embeddings": True}, "untied": {"seed": 2}}
    only_folders: ClassVar = {
        "normalized": {"norm_topk_prob": True},
        "some dense": {"mlp_only_layers": [0], "num_hidden_layers": 3},
    }


def test_a_gate_is_never_left_out(tmp_path: Path) -> None:
    """Not even where what experts give is asked for alone, to be normed."""
    with Checkpoint.open(save(tmp_path, make_once(TestQwen2Moe, "tied"))) as checkpoint:
        model = Qwen2Moe.from_config(checkpoint)
    plan = Plan()
    h = plan.embed("token_embd.weight", vocab_size=model.shape.vocab_size, width=model.width)
    with pytest.raises(ValueError, match="a shared expert's gate needs a residual"):
        model._feed_forward(plan, h, "blk.0")
