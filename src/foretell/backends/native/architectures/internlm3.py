"""InternLM 3 (Shanghai AI Laboratory 2025): Llama with a flag for biases of queries, keys, values.

Its GGUF files say that they are Llama's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import MLP, QKV, Decoder
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class InternLM3(Decoder):
    """The sizes of one InternLM 3 model, and its computation."""

    MODEL_TYPES: ClassVar = ("internlm3",)
    DEFAULTS: ClassVar = {"head_dim": 128, "num_key_value_heads": 2, "rms_norm_eps": 1e-5}
    CONFIG_NAMES: ClassVar = {"attention_bias": "qkv_bias", "mlp_bias": "bias"}

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        """`bias` is of all products but queries, keys and values."""
        qkv = QKV if reader.flag("attention_bias", False) else ()
        others = ("attn_output", *MLP) if reader.flag("mlp_bias", False) else ()
        return frozenset((*qkv, *others))


FAMILY = InternLM3
