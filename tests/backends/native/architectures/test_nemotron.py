"""Tiny random Nemotrons against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import NEMOTRON


class TestNemotron(FamilyContract):
    family = NEMOTRON
    models: ClassVar = {"tiny": {}, "biases": {"attention_bias": True, "mlp_bias": True, "seed": 2}}
