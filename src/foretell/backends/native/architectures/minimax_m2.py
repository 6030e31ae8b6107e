"""MiniMax-M2 (MiniMax 2025): sigmoid experts in all layers, queries and keys normed whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.mixtures import (
    MixtureDecoder,
    SigmoidMixtureDecoder,
    expert_names,
    router_names,
)
from foretell.backends.native.plan import Plan, Value
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader

USUAL = {
    "qk_norm_type": "per_layer",
    "scoring_func": "sigmoid",
    "shared_intermediate_size": 0,
    "use_qk_norm": True,
    "use_routing_bias": True,
}
"""What configs of its makers say besides, and always say so."""


@dataclass(frozen=True)
class MiniMaxM2(SigmoidMixtureDecoder):
    """The sizes of one MiniMax-M2 model, and its computation."""

    ARCHITECTURES: ClassVar = ("minimax-m2",)
    MODEL_TYPES: ClassVar = ("minimax_m2",)
    SUM_EPS: ClassVar = 0.0
    CONFIG_NAMES: ClassVar = MixtureDecoder.CONFIG_NAMES
    DEFAULTS: ClassVar = {
        "head_dim": 128,
        "num_experts_per_tok": 8,
        "num_key_value_heads": 8,
        "num_local_experts": 256,
        "rope_theta": 5_000_000.0,
    }
    HF_NAMES: ClassVar = {
        **MixtureDecoder.HF_NAMES,
        **router_names("block_sparse_moe.gate", "mlp.gate"),
        **expert_names("block_sparse_moe", ("w1", "w3", "w2")),
        "blk.{}.exp_probs_b.bias": HFName(
            "model.layers.{}.block_sparse_moe.e_score_correction_bias",
            others=("model.layers.{}.mlp.e_score_correction_bias",),
        ),
    }

    @classmethod
    def _config_reader(cls, checkpoint: Checkpoint) -> MetadataReader:
        reader = super()._config_reader(checkpoint)
        if "rotary_dim" not in reader or "partial_rotary_factor" in reader:
            return reader
        share = reader.integer("rotary_dim", 2, 1024) / reader.integer("head_dim", 16, 1024)
        return reader.with_values({"partial_rotary_factor": share})

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        for key, usual in USUAL.items():
            if reader.values.get(key, usual) != usual:
                raise reader.unsupported(f"{key} other than {usual!r}")
        if not all(reader.integers("attn_type_list", [])):
            raise reader.unsupported("linear attention (0 in attn_type_list)")

    def _norm_heads(self, plan: Plan, q: Value, k: Value, name: str) -> tuple[Value, Value]:
        return self._norm_whole(plan, q, k, name)


FAMILY = MiniMaxM2
