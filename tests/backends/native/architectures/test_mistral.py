"""Tiny random Mistrals against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.family_files import MISTRAL


class TestMistral(FamilyContract):
    family = MISTRAL
    models: ClassVar = {"no window": {"sliding_window": None, "seed": 6}}
    only_folders: ClassVar = {"a window": {"sliding_window": 13, "seed": 5}}
