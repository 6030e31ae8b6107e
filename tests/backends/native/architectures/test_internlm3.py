"""Tiny random InternLM 3s against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FolderContract
from support.kin_files import INTERNLM3


class TestInternLM3(FolderContract):
    family = INTERNLM3
    models: ClassVar = {"tiny": {}}
    only_folders: ClassVar = {"biases": {"attention_bias": True, "mlp_bias": True, "seed": 2}}
