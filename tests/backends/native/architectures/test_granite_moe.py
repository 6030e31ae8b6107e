"""Tiny random GraniteMoes against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.mixture_files import GRANITE_MOE, GRANITE_MOE_SHARED


class TestGraniteMoe(FamilyContract):
    family = GRANITE_MOE
    models: ClassVar = {"tied": {"tie_word_embeddings": True}, "untied": {"seed": 3}}
    only_folders: ClassVar = {"biases": {"attention_bias": True}}


class TestGraniteMoeShared(FamilyContract):
    family = GRANITE_MOE_SHARED
