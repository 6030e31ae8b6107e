"""GLM-4.5, 4.6 and 4.7 (GLM Team 2025, arXiv 2508.06471): sigmoid experts, half of a head rotated.

Layers that predict further tokens are left out of folders; GGUF files that have them are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import QKV
from foretell.backends.native.mixtures import SigmoidMixtureDecoder
from foretell.backends.native.plan import Plan, Value
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Glm4Moe(SigmoidMixtureDecoder):
    """The sizes of one GLM-4.5 model, and its computation.

    Attributes:
        norms_heads: whether each query and key is normed.
    """

    ARCHITECTURES: ClassVar = ("glm4moe",)
    MODEL_TYPES: ClassVar = ("glm4_moe",)
    DEFAULTS: ClassVar = {
        "first_k_dense_replace": 1,
        "moe_intermediate_size": 1408,
        "n_routed_experts": 128,
        "n_shared_experts": 1,
        "num_experts_per_tok": 8,
        "num_key_value_heads": 8,
        "partial_rotary_factor": 0.5,
        "rms_norm_eps": 1e-5,
    }
    HAS_HEAD_NORMS: ClassVar = True
    HF_NAMES: ClassVar = {
        **SigmoidMixtureDecoder.HF_NAMES,
        "blk.{}.post_attention_norm.weight": SigmoidMixtureDecoder.HF_NAMES[
            "blk.{}.ffn_norm.weight"
        ],
    }

    norms_heads: bool = False

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        norms_heads = "blk.0.attn_q_norm.weight" in file.tensors
        return replace(super().from_gguf(file, reader), norms_heads=norms_heads)

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        norms_heads = cls._config_reader(checkpoint).flag("use_qk_norm", False)
        return replace(super().from_config(checkpoint), norms_heads=norms_heads)

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        return frozenset(QKV if reader.flag("attention_bias", False) else ())

    def _norm_heads(self, plan: Plan, q: Value, k: Value, name: str) -> tuple[Value, Value]:
        return super()._norm_heads(plan, q, k, name) if self.norms_heads else (q, k)

    def _mlp(self, plan: Plan, x: Value, name: str) -> Value:
        h = self._norm(plan, x, f"{name}.post_attention_norm")
        return self._feed_forward(plan, h, name, residual=x)


FAMILY = Glm4Moe
