"""Tiny random VaultGemmas against transformers."""

from __future__ import annotations

from typing import ClassVar

from support.family_contract import FolderContract
from support.kin_files import VAULTGEMMA


class TestVaultGemma(FolderContract):
    family = VAULTGEMMA
    models: ClassVar = {
        "tiny": {},
        "no caps": {
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "query_pre_attn_scalar": 50,
            "tie_word_embeddings": False,
            "seed": 2,
        },
    }
