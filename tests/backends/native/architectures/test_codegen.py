"""Tiny random CodeGens against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FolderContract
from support.gpt_files import CODEGEN


class TestCodeGen(FolderContract):
    family = CODEGEN
    models: ClassVar = {
        "tiny": {},
        "eight heads": {"n_embd": 128, "n_head": 8, "n_inner": 96, "rotary_dim": 16, "seed": 1},
    }
