"""Tiny random MPTs against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.gpt_files import MPT


class TestMPT(FamilyContract):
    family = MPT
    models: ClassVar = {
        "tiny": {},
        "six heads": {"d_model": 96, "n_heads": 6, "seed": 1},
        "clamped": {"attn_config": {"clip_qkv": 0.8}, "seed": 3},
    }
    only_folders: ClassVar = {"a scale": {"attn_config": {"softmax_scale": 0.1}, "seed": 2}}
