"""Tiny random GLM-4-0414s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import GLM4


class TestGLM4(FamilyContract):
    family = GLM4
    models: ClassVar = {"tiny": {}}
