"""Hunyuan's mixtures (Tencent 2024, arXiv 2411.02265): Hunyuan with experts, one of them shared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from foretell.backends.native.architectures.hunyuan import Hunyuan
from foretell.backends.native.mixtures import (
    Mixture,
    MixtureDecoder,
    expert_names,
    router_names,
    shared_names,
)
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class HunyuanMoe(MixtureDecoder, Hunyuan):
    """The sizes of one Hunyuan mixture, and its computation."""

    ARCHITECTURES: ClassVar = ("hunyuan-moe",)
    MODEL_TYPES: ClassVar = ("hunyuan_v1_moe",)
    DEFAULTS: ClassVar = {"moe_topk": 1, "num_experts": 1, "rms_norm_eps": 1e-5}
    CONFIG_NAMES: ClassVar = {
        "num_experts": "num_local_experts",
        "num_experts_per_tok": "moe_topk",
    }
    HF_NAMES: ClassVar = {
        **Hunyuan.HF_NAMES,
        **expert_names(),
        **router_names("mlp.gate.wg"),
        **shared_names("mlp.shared_mlp"),
    }

    @classmethod
    def _config_reader(cls, checkpoint: Checkpoint) -> MetadataReader:
        """Experts are as wide as an MLP, whatever published configs say beside."""
        reader = super()._config_reader(checkpoint).with_values({"moe_intermediate_size": None})
        if not reader.is_list("num_experts_per_tok"):
            return reader
        used = reader.integers("num_experts_per_tok")
        if len(set(used)) != 1:
            raise reader.unsupported("a moe_topk that is not the same for all layers")
        return reader.with_values({"num_experts_per_tok": used[0]})

    def _config_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        return replace(mixture, shared=self.hidden)

    def _file_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        width = reader.integer("expert_shared_feed_forward_length", 1, 2**20, self.hidden)
        return replace(mixture, shared=width)


FAMILY = HunyuanMoe
