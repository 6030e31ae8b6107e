"""Tiny random GPT-Js against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.gpt_files import GPTJ


class TestGPTJ(FamilyContract):
    family = GPTJ
    models: ClassVar = {
        "tiny": {},
        "wide": {"n_embd": 96, "n_head": 2, "n_inner": 100, "rotary_dim": 32, "seed": 1},
    }
