"""Tiny random GptOsss against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.mixture_files import GPT_OSS


class TestGptOss(FamilyContract):
    family = GPT_OSS
    models: ClassVar = {"tied": {"tie_word_embeddings": True}, "untied": {"seed": 3}}
    only_folders: ClassVar = {}
