"""Qwen 1.5 and 2 MoE (Yang et al. 2024, arXiv 2407.10671): Qwen 2 with experts.

One more is shared by all tokens, as much as a gate says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from foretell.backends.native.architectures.qwen3_moe import Qwen3Moe
from foretell.backends.native.decoder import QKV
from foretell.backends.native.mixtures import Mixture, MixtureDecoder, shared_names
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Qwen2Moe(Qwen3Moe):
    """The sizes of one Qwen 2 MoE model, and its computation."""

    ARCHITECTURES: ClassVar = ("qwen2moe",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("qwen2_moe",)
    DEFAULTS: ClassVar = {
        "moe_intermediate_size": 1408,
        "num_experts": 60,
        "num_experts_per_tok": 4,
        "num_key_value_heads": 16,
        "shared_expert_intermediate_size": 5632,
    }
    HAS_HEAD_NORMS: ClassVar = False
    HAS_BIASES: ClassVar = True
    NORMALIZES: ClassVar = False
    GATES_SHARED: ClassVar = True
    HF_NAMES: ClassVar = {
        **MixtureDecoder.HF_NAMES,
        **shared_names("mlp.shared_expert"),
        "blk.{}.ffn_gate_inp_shexp.weight": HFName("model.layers.{}.mlp.shared_expert_gate.weight"),
    }

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        return frozenset(QKV if reader.flag("qkv_bias", True) else ())

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        return super(Qwen3Moe, cls)._windows(checkpoint, reader, layers)

    def _file_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        """The shared expert."""
        width = reader.integer("expert_shared_feed_forward_length", 1, 2**20, self.hidden)
        return replace(mixture, shared=width)

    def _config_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        """The shared expert, and some layers may have an MLP."""
        width = reader.integer("shared_expert_intermediate_size", 1, 2**20, self.hidden)
        return replace(super()._config_layers(reader, mixture), shared=width)


FAMILY = Qwen2Moe
