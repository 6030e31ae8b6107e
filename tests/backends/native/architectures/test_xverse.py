"""Tiny random XVERSEs against transformers."""

from __future__ import annotations

from support.family_contract import FamilyContract
from support.kin_files import XVERSE


class TestXVERSE(FamilyContract):
    family = XVERSE
