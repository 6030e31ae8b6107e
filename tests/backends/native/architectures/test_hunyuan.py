"""Tiny random Hunyuans against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import HUNYUAN


class TestHunyuan(FamilyContract):
    family = HUNYUAN
    models: ClassVar = {"tiny": {}}
    only_folders: ClassVar = {"biases": {"attention_bias": True, "seed": 2}}
