"""DeepSeek V2 (DeepSeek-AI 2024, arXiv 2405.04434), and V3's GGUF files: latents and experts.

GGUF files of all models with this attention are called so, and say how their experts are chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native._core import Routing, Scoring
from foretell.backends.native.architectures.deepseek_v3 import DeepseekV3
from foretell.backends.native.mixtures import SIGMOID, Mixture
from foretell.formats.metadata import MetadataReader

SOFTMAX = 1  # what GGUF files call it
GREEDY, BY_GROUPS = "greedy", "group_limited_greedy"


@dataclass(frozen=True)
class DeepseekV2(DeepseekV3):
    """The sizes of one DeepSeek V2 model, and its computation."""

    ARCHITECTURES: ClassVar = ("deepseek2",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("deepseek_v2",)
    DEFAULTS: ClassVar = {
        "first_k_dense_replace": 0,
        "kv_lora_rank": 512,
        "moe_intermediate_size": 1407,
        "n_routed_experts": 64,
        "n_shared_experts": 2,
        "q_lora_rank": 1536,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
    }
    CHOICES: ClassVar = (("scoring_func", ("softmax",)), ("topk_method", (GREEDY, BY_GROUPS)))
    NORMALIZES: ClassVar = False

    def _config_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        if reader.flag("norm_topk_prob", False):
            raise reader.unsupported("norm_topk_prob=true")
        has_groups = reader.text("topk_method", GREEDY) == BY_GROUPS
        groups = reader.integer("n_group", 1, experts) if has_groups else 1
        return self._grouped(
            reader,
            (experts, used),
            normalizes=False,
            groups=(groups, reader.integer("topk_group", 1, groups) if has_groups else 1),
            factor=reader.number("routed_scaling_factor", 0, 1e6, 1.0),
            scoring=Scoring.softmax,
        )

    def _file_mixture(self, reader: MetadataReader) -> Mixture | None:
        mixture = super()._file_mixture(reader)
        if mixture is None:  # files without experts tell of them all the same
            reader.integer("expert_feed_forward_length", 0, 2**20, 0)
            reader.integer("expert_shared_count", 0, 0, 0)
            reader.integer("leading_dense_block_count", 0, 2**16, 0)
        return mixture

    def _file_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        kinds = {SOFTMAX: Scoring.softmax, SIGMOID: Scoring.sigmoid}
        scoring = kinds.get(reader.integer("expert_gating_func", 0, 2**16, SOFTMAX))
        if scoring is None:
            raise reader.unsupported("an expert_gating_func other than softmax and sigmoid")
        return self._file_groups(reader, experts, used, scoring)

    def _choice_bias(self, name: str) -> str | None:
        is_biased = self.mixture is not None and self.mixture.routing.scoring is Scoring.sigmoid
        return super()._choice_bias(name) if is_biased else None


FAMILY = DeepseekV2
