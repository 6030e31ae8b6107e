"""Tiny random Olmoes against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.mixture_files import OLMOE


class TestOlmoe(FamilyContract):
    family = OLMOE
    models: ClassVar = {"tied": {"tie_word_embeddings": True}, "untied": {"seed": 2}}
    only_folders: ClassVar = {"normalized": {"norm_topk_prob": True}}
