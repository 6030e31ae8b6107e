"""OLMoE (Muennighoff et al. 2024, arXiv 2409.02060): experts; queries and keys are normed whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.mixtures import MixtureDecoder
from foretell.backends.native.plan import Plan, Value
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Olmoe(MixtureDecoder):
    """The sizes of one OLMoE model, and its computation."""

    ARCHITECTURES: ClassVar = ("olmoe",)
    MODEL_TYPES: ClassVar = ("olmoe",)
    NORMALIZES: ClassVar = False
    DEFAULTS: ClassVar = {
        "norm_topk_prob": False,
        "num_experts": 64,
        "num_experts_per_tok": 8,
        "rms_norm_eps": 1e-5,
    }

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        if "clip_qkv" in reader:
            raise reader.unsupported("clip_qkv")

    def _norm_heads(self, plan: Plan, q: Value, k: Value, name: str) -> tuple[Value, Value]:
        return self._norm_whole(plan, q, k, name)


FAMILY = Olmoe
