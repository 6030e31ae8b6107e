"""Tiny random Orions against transformers."""

from __future__ import annotations

from support.family_contract import FamilyContract
from support.kin_files import ORION


class TestOrion(FamilyContract):
    family = ORION
