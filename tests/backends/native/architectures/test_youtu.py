"""Tiny random Youtus against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.latent_files import YOUTU


class TestYoutu(FamilyContract):
    family = YOUTU
    models: ClassVar = {"tied": {}, "untied": {"tie_word_embeddings": False, "seed": 2}}
