"""LFM2's mixtures (Liquid AI 2025): LFM2 whose later layers have sigmoid experts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.architectures.lfm2 import LFM2
from foretell.backends.native.mixtures import (
    Mixture,
    SigmoidMixtureDecoder,
    expert_names,
    router_names,
)
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

BIAS = "exp_probs_b.bias"


@dataclass(frozen=True)
class LFM2MoE(LFM2, SigmoidMixtureDecoder):
    """The sizes of one LFM2 mixture, and its computation.

    Attributes:
        evens_load: whether a bias is added to scores for the choice.
    """

    ARCHITECTURES: ClassVar = ("lfm2moe",)
    MODEL_TYPES: ClassVar = ("lfm2_moe",)
    DEFAULTS: ClassVar = {
        **LFM2.DEFAULTS,
        "block_auto_adjust_ff_dim": False,
        "moe_intermediate_size": 1792,
        "num_experts": 32,
        "num_experts_per_tok": 4,
    }
    CONFIG_NAMES: ClassVar = {}
    SUM_EPS: ClassVar = 1e-6
    HF_NAMES: ClassVar = {
        **LFM2.HF_NAMES,
        **router_names("feed_forward.gate"),
        **expert_names("feed_forward", ("w1", "w3", "w2"), "feed_forward"),
        f"blk.{{}}.{BIAS}": HFName("model.layers.{}.feed_forward.expert_bias"),
    }

    evens_load: bool = True

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        evens_load = any(name.endswith(BIAS) for name in file.tensors)
        return replace(super().from_gguf(file, reader), evens_load=evens_load)

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        evens_load = cls._config_reader(checkpoint).flag("use_expert_bias", True)
        return replace(super().from_config(checkpoint), evens_load=evens_load)

    def _config_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        return replace(
            mixture, dense=frozenset(range(reader.integer("num_dense_layers", 0, 2**16, 2)))
        )

    def _choice_bias(self, name: str) -> str | None:
        return super()._choice_bias(name) if self.evens_load else None


FAMILY = LFM2MoE
