"""Tiny random OPTs against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FolderContract
from support.gpt_files import OPT


class TestOPT(FolderContract):
    family = OPT
    models: ClassVar = {
        "tiny": {},
        "350M": {"word_embed_proj_dim": 32, "do_layer_norm_before": False, "seed": 1},
    }
    only_folders: ClassVar = {
        "no last norm": {"_remove_final_layer_norm": True, "enable_bias": False, "seed": 2}
    }
