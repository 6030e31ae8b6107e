"""ERNIE 4.5's mixtures (Baidu 2025): ERNIE 4.5 with experts, which a bias helps to choose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from foretell.backends.native._core import Routing, Scoring
from foretell.backends.native.architectures.ernie4_5 import Ernie45
from foretell.backends.native.mixtures import Mixture, MixtureDecoder, shared_names
from foretell.backends.native.weights.source import HFName
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Ernie45Moe(MixtureDecoder, Ernie45):
    """The sizes of one ERNIE 4.5 mixture, and its computation."""

    ARCHITECTURES: ClassVar = ("ernie4_5-moe",)
    MODEL_TYPES: ClassVar = ("ernie4_5_moe",)
    DEFAULTS: ClassVar = {
        "moe_intermediate_size": 1536,
        "moe_k": 6,
        "moe_num_experts": 64,
        "moe_num_shared_experts": 2,
        "num_key_value_heads": 4,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500_000.0,
        "tie_word_embeddings": True,
    }
    CONFIG_NAMES: ClassVar = {"num_experts": "moe_num_experts", "num_experts_per_tok": "moe_k"}
    HF_NAMES: ClassVar = {
        **MixtureDecoder.HF_NAMES,
        **shared_names("mlp.shared_experts"),
        "blk.{}.exp_probs_b.bias": HFName(
            "model.layers.{}.mlp.moe_statics.e_score_correction_bias"
        ),
    }

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        if reader.flag("use_bias", False):
            raise reader.unsupported("use_bias=true")
        return frozenset()

    def _config_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        return Routing(experts, used, Scoring.softmax, normalizes=True)

    def _file_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        return Routing(experts, used, Scoring.softmax, normalizes=True)

    def _config_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        layers = self.shape.layers
        first = reader.integer("moe_layer_start_index", 0, 2**16, 1)
        last = reader.integer("moe_layer_end_index", -1, 2**16, -1)
        step = reader.integer("moe_layer_interval", 1, 2**16, 1)
        shared = reader.integer("moe_num_shared_experts", 0, 2**10)
        mixed = range(first, layers if last == -1 else last + 1)
        dense = {n for n in range(layers) if n not in mixed or (n + 1) % step}
        return replace(mixture, shared=shared * mixture.hidden, dense=frozenset(dense))

    def _file_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        first = reader.integer("leading_dense_block_count", 0, 2**16, 0)
        step = reader.integer("interleave_moe_layer_step", 1, 2**16, 1)
        shared = reader.integer("expert_shared_count", 0, 2**10, 0)
        width = reader.integer(
            "expert_shared_feed_forward_length", 0, 2**20, shared * mixture.hidden
        )
        dense = {n for n in range(self.shape.layers) if n < first or (n + 1) % step}
        return replace(mixture, shared=width if shared else 0, dense=frozenset(dense))

    def _choice_bias(self, name: str) -> str | None:
        return f"{name}.exp_probs_b.bias"


FAMILY = Ernie45Moe
