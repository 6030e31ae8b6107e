"""Tiny random Qwen 2s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.family_files import QWEN2


class TestQwen2(FamilyContract):
    family = QWEN2
    models: ClassVar = {"tiny": {"seed": 3}}
