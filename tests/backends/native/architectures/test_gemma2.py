"""Tiny random Gemma 2s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.gpt_files import GEMMA2


class TestGemma2(FamilyContract):
    family = GEMMA2
    models: ClassVar = {
        "tiny": {},
        "tight caps": {
            "attn_logit_softcapping": 2.0,
            "final_logit_softcapping": 3.0,
            "num_hidden_layers": 2,
            "seed": 1,
        },
    }
    only_folders: ClassVar = {
        "no caps": {"attn_logit_softcapping": None, "final_logit_softcapping": None, "seed": 2},
        "another scale": {"query_pre_attn_scalar": 50, "seed": 3},
        "other layers": {
            "layer_types": ["full_attention", "full_attention", "sliding_attention"],
            "seed": 4,
        },
    }
