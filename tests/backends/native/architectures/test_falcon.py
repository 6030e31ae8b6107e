"""Tiny random Falcons against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.gpt_files import FALCON


class TestFalcon(FamilyContract):
    family = FALCON
    models: ClassVar = {
        "7B": {},
        "40B": {
            "new_decoder_architecture": True,
            "num_attention_heads": 8,
            "hidden_size": 128,
            "num_kv_heads": 2,
            "ffn_hidden_size": 96,
            "seed": 1,
        },
        "11B": {
            "new_decoder_architecture": True,
            "num_kv_heads": 2,
            "num_ln_in_parallel_attn": 1,
            "tie_word_embeddings": False,
            "rope_theta": 5000.0,
            "seed": 2,
        },
    }
    only_folders: ClassVar = {
        "RW": {"multi_query": False, "parallel_attn": False, "bias": True, "seed": 3},
        "heads of their own": {"multi_query": False, "seed": 4},
        "ALiBi": {"alibi": True, "seed": 5},
        "RW with ALiBi": {
            "alibi": True,
            "multi_query": False,
            "parallel_attn": False,
            "bias": True,
            "hidden_size": 96,
            "num_attention_heads": 6,
            "seed": 6,
        },
    }
