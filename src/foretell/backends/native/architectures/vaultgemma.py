"""VaultGemma (Sinha et al. 2025, arXiv 2510.15001): Gemma 2 without the norms after each part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.architectures.gemma import Gemma, above_one
from foretell.backends.native.architectures.gemma2 import Gemma2
from foretell.backends.native.decoder import Decoder, hf_names
from foretell.backends.native.plan import Plan, RopeTable, Value


@dataclass(frozen=True)
class VaultGemma(Gemma2):
    """The sizes of one VaultGemma model, and its computation."""

    ARCHITECTURES: ClassVar = ()
    MODEL_TYPES: ClassVar = ("vaultgemma",)
    HF_NAMES: ClassVar = {
        **Gemma.HF_NAMES,
        **above_one(hf_names(ffn_norm="pre_feedforward_layernorm")),
    }

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        return Decoder._block(self, plan, x, layer, rope)


FAMILY = VaultGemma
