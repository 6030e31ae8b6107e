"""Tiny random StarCoders against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.gpt_files import STARCODER


class TestStarCoder(FamilyContract):
    family = STARCODER
    models: ClassVar = {
        "tiny": {},
        "wide": {"n_embd": 96, "n_head": 2, "n_inner": 100, "seed": 1},
    }
    only_folders: ClassVar = {
        "heads of their own": {"multi_query": False, "seed": 2},
        "unscaled": {"scale_attn_weights": False, "seed": 3},
    }
