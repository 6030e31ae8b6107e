"""ERNIE 4.5 (Baidu 2025), its dense models: Llama that rotates neighbours together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import MLP, QKV, Decoder
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Ernie45(Decoder):
    """The sizes of one dense ERNIE 4.5 model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("ernie4_5",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("ernie4_5",)
    DEFAULTS: ClassVar = {
        "head_dim": 128,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500_000.0,
        "tie_word_embeddings": True,
    }
    IS_INTERLEAVED: ClassVar = True
    IS_INTERLEAVED_IN_FOLDERS: ClassVar = True

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        return frozenset((*QKV, "attn_output", *MLP) if reader.flag("use_bias", False) else ())


FAMILY = Ernie45
