"""Tiny random nanochats against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FolderContract
from support.kin_files import NANOCHAT


class TestNanoChat(FolderContract):
    family = NANOCHAT
    models: ClassVar = {
        "tiny": {},
        "no cap": {"final_logit_softcapping": None, "tie_word_embeddings": True, "seed": 2},
        "biases": {"attention_bias": True, "num_key_value_heads": 4, "seed": 3},
    }
