"""Tiny random Baichuans, which are Llamas, against transformers."""

from __future__ import annotations

from typing import ClassVar

import pytest
from support.family_contract import FamilyContract
from support.family_files import make_family, write_family
from support.kin_files import BAICHUAN

from foretell.errors import UnsupportedModelError


class TestBaichuan(FamilyContract):
    family = BAICHUAN
    models: ClassVar = {"tied": {"tie_word_embeddings": True}}


def test_models_with_other_positions_are_refused(load, tmp_path):
    model = make_family(BAICHUAN, num_hidden_layers=40, hidden_size=64, intermediate_size=32)
    with pytest.raises(UnsupportedModelError, match="Baichuan 13B, which has ALiBi"):
        load(write_family(tmp_path / "m.gguf", BAICHUAN, model))
