"""Tiny random HyperCLOVA Xs against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FolderContract
from support.kin_files import HYPERCLOVAX


class TestHyperCLOVAX(FolderContract):
    family = HYPERCLOVAX
    models: ClassVar = {"tiny": {}}
    only_folders: ClassVar = {
        "no norms after": {"use_post_norm": False, "attention_multiplier": 0.3, "seed": 2}
    }
