"""Tiny random Code World Models against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FolderContract
from support.kin_files import CWM


class TestCWM(FolderContract):
    family = CWM
    models: ClassVar = {
        "tiny": {"rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0}}
    }
