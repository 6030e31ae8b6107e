"""Tiny random Gemmas against transformers."""

from __future__ import annotations

from typing import ClassVar

import pytest
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.gpt_files import GEMMA

from foretell.errors import UnsupportedModelError


class TestGemma(FamilyContract):
    family = GEMMA
    models: ClassVar = {
        "tiny": {},
        "one kv head": {"num_key_value_heads": 1, "rope_theta": 5000.0, "seed": 1},
    }
    only_folders: ClassVar = {"biases": {"attention_bias": True, "seed": 2}}


def test_attention_both_ways_is_refused(tmp_path):
    model = make_once(TestGemma, "tiny")
    model.config.use_bidirectional_attention = True
    try:
        with pytest.raises(UnsupportedModelError, match="use_bidirectional_attention=true"):
            load_folder(save(tmp_path, model))
    finally:
        model.config.use_bidirectional_attention = None
