"""Tiny random Command Rs against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import COHERE


class TestCohere(FamilyContract):
    family = COHERE
    models: ClassVar = {"tiny": {}, "normed heads": {"use_qk_norm": True, "seed": 2}}
    only_folders: ClassVar = {"biases": {"attention_bias": True, "seed": 3}}
