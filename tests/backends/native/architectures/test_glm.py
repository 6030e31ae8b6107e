"""Tiny random GLMs against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import GLM


class TestGLM(FamilyContract):
    family = GLM
    models: ClassVar = {"tiny": {}}
    only_folders: ClassVar = {
        "no biases": {"attention_bias": False, "partial_rotary_factor": 1.0, "seed": 2}
    }
