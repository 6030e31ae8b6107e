"""Seed-OSS (ByteDance Seed 2025): Llama with biases of queries, keys and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import MLP, QKV, Decoder, hf_names
from foretell.backends.native.plan import Plan, Value
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class SeedOSS(Decoder):
    """The sizes of one Seed-OSS model, and its computation."""

    ARCHITECTURES: ClassVar = ("seed_oss",)
    MODEL_TYPES: ClassVar = ("seed_oss",)
    DEFAULTS: ClassVar = {"attention_bias": True, "head_dim": 128, "num_key_value_heads": 8}
    HF_NAMES: ClassVar = {
        **Decoder.HF_NAMES,
        **hf_names(post_attention_norm="post_attention_layernorm"),
    }

    def _mlp(self, plan: Plan, x: Value, name: str) -> Value:
        h = self._norm(plan, x, f"{name}.post_attention_norm")
        return self._feed_forward(plan, h, name, residual=x)

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        stated = {
            "attention_bias": QKV,
            "attention_out_bias": ("attn_output",),
            "mlp_bias": MLP,
        }
        return frozenset(
            part for key, parts in stated.items() if reader.flag(key, False) for part in parts
        )


FAMILY = SeedOSS
