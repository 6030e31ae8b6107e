"""Tiny random openPangus, which are Llamas with biases, against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.kin_files import PANGU


class TestPangu(FamilyContract):
    family = PANGU
    models: ClassVar = {"biases": {"attention_bias": True}, "none": {"seed": 2}}
