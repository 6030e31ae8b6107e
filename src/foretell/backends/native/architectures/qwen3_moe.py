"""Qwen 3 MoE (Yang et al. 2025, arXiv 2505.09388): Qwen 3 with experts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from foretell.backends.native.mixtures import Mixture, MixtureDecoder
from foretell.backends.native.model import same_window
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Qwen3Moe(MixtureDecoder):
    """The sizes of one Qwen 3 MoE model, and its computation."""

    ARCHITECTURES: ClassVar = ("qwen3moe",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("qwen3_moe",)
    DEFAULTS: ClassVar = {
        "moe_intermediate_size": 768,
        "norm_topk_prob": False,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "num_key_value_heads": 4,
    }
    HAS_HEAD_NORMS: ClassVar = True

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        """All layers have one, or none has."""
        if not reader.flag("use_sliding_window", False):
            return (None,) * layers
        return same_window(reader, layers)

    def _config_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        """Some layers may have an MLP."""
        layers, plain = self.shape.layers, reader.integers("mlp_only_layers", [])
        step = reader.integer("decoder_sparse_step", 1, 2**16, 1)
        dense = {layer for layer in range(layers) if layer in plain or (layer + 1) % step}
        return replace(mixture, dense=frozenset(dense))


FAMILY = Qwen3Moe
