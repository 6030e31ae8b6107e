"""Qwen 2 (Yang et al. 2024, arXiv 2407.10671): Llama with biases of queries, keys and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Decoder


@dataclass(frozen=True)
class Qwen2(Decoder):
    """The sizes of one Qwen 2 model, and its computation."""

    ARCHITECTURES: ClassVar = ("qwen2",)
    MODEL_TYPES: ClassVar = ("qwen2",)
    DEFAULTS: ClassVar = {"num_key_value_heads": 32}
    HAS_BIASES: ClassVar = True


FAMILY = Qwen2
