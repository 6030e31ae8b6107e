"""Tiny random GPT-NeoXs against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.gpt_files import GPTNEOX


class TestGPTNeoX(FamilyContract):
    family = GPTNEOX
    models: ClassVar = {
        "side by side": {},
        "one after the other": {
            "use_parallel_residual": False,
            "rotary_pct": 0.5,
            "rotary_emb_base": 5000.0,
            "seed": 1,
        },
    }
    only_folders: ClassVar = {
        "no biases": {"attention_bias": False, "tie_word_embeddings": True, "seed": 2},
        "another activation": {"hidden_act": "gelu_new", "seed": 3},
    }
