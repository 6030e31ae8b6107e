"""Qwen 3 (Yang et al. 2025, arXiv 2505.09388): Llama with norms of each query and key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Decoder


@dataclass(frozen=True)
class Qwen3(Decoder):
    """The sizes of one Qwen 3 model, and its computation."""

    ARCHITECTURES: ClassVar = ("qwen3",)
    MODEL_TYPES: ClassVar = ("qwen3",)
    DEFAULTS: ClassVar = {"head_dim": 128, "num_key_value_heads": 32}
    HAS_HEAD_NORMS: ClassVar = True


FAMILY = Qwen3
