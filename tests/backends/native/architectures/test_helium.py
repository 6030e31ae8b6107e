"""Tiny random Heliums against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FolderContract
from support.kin_files import HELIUM


class TestHelium(FolderContract):
    family = HELIUM
    models: ClassVar = {"tiny": {}}
    only_folders: ClassVar = {"biases": {"attention_bias": True, "mlp_bias": True, "seed": 2}}
