"""GLM-4 9B, GLM-Edge (GLM Team 2024, arXiv 2406.12793): half of a head rotated, by neighbours.

Biases of queries, keys and values, the MLP's gate and values in one weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foretell.backends.native.decoder import QKV, Decoder, hf_names
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class GLM(Decoder):
    """The sizes of one GLM model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("chatglm",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("glm",)
    DEFAULTS: ClassVar[dict[str, Any]] = {
        "attention_bias": True,
        "head_dim": 128,
        "num_key_value_heads": 2,
        "partial_rotary_factor": 0.5,
        "rms_norm_eps": 1.5625e-07,
    }
    FUSES_GATE: ClassVar = True
    IS_INTERLEAVED: ClassVar = True
    IS_INTERLEAVED_IN_FOLDERS: ClassVar = True
    HF_NAMES: ClassVar = {**Decoder.HF_NAMES, **hf_names(ffn_up="mlp.gate_up_proj")}

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        return frozenset(QKV if reader.flag("attention_bias") else ())


FAMILY = GLM
