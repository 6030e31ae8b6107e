"""Helium (Kyutai 2025): Llama that rotates neighbours together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import MLP, QKV, Decoder
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Helium(Decoder):
    """The sizes of one Helium model, and its computation."""

    MODEL_TYPES: ClassVar = ("helium",)
    DEFAULTS: ClassVar = {
        "head_dim": 128,
        "num_key_value_heads": 20,
        "rms_norm_eps": 1e-8,
        "rope_theta": 100_000.0,
    }
    IS_INTERLEAVED_IN_FOLDERS: ClassVar = True

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        attention = QKV if reader.flag("attention_bias", False) else ()
        return frozenset((*attention, *(MLP if reader.flag("mlp_bias", False) else ())))


FAMILY = Helium
