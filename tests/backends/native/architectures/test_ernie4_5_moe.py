"""Tiny random Ernie45Moes against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FamilyContract
from support.mixture_files import ERNIE4_5_MOE


class TestErnie45Moe(FamilyContract):
    family = ERNIE4_5_MOE
    models: ClassVar = {"tied": {"tie_word_embeddings": True}, "three": {"num_hidden_layers": 3}}
    only_folders: ClassVar = {
        "up to the second": {"num_hidden_layers": 3, "moe_layer_end_index": 1}
    }
