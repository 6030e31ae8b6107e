"""Tiny random HunyuanMoes against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.mixture_files import HUNYUAN_MOE


class TestHunyuanMoe(FamilyContract):
    family = HUNYUAN_MOE
    models: ClassVar = {"tied": {"tie_word_embeddings": True}, "untied": {"seed": 3}}
    only_folders: ClassVar = {}
