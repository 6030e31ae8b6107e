"""Tiny random AFMs against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import ARCEE


class TestArcee(FamilyContract):
    family = ARCEE
    models: ClassVar = {"tiny": {}, "biases": {"attention_bias": True, "mlp_bias": True, "seed": 2}}
