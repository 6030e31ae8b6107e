"""dots.llm1 (Huo et al. 2025, arXiv 2506.05767): sigmoid experts, norms of each query and key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.mixtures import SigmoidMixtureDecoder


@dataclass(frozen=True)
class Dots1(SigmoidMixtureDecoder):
    """The sizes of one dots.llm1 model, and its computation."""

    ARCHITECTURES: ClassVar = ("dots1",)
    MODEL_TYPES: ClassVar = ("dots1",)
    DEFAULTS: ClassVar = {"moe_intermediate_size": 1408, "norm_topk_prob": False}
    HAS_HEAD_NORMS: ClassVar = True


FAMILY = Dots1
