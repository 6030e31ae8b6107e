"""Qwen 2 (Yang et al. 2024, arXiv 2407.10671): Llama with biases of queries, keys and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.architectures.llama import Llama


@dataclass(frozen=True)
class Qwen2(Llama):
    """The sizes of one Qwen 2 model, and its computation."""

    ARCHITECTURES: ClassVar = ("qwen2",)
    MODEL_TYPES: ClassVar = ("qwen2",)
    HAS_BIASES: ClassVar = True
    IS_INTERLEAVED: ClassVar = False


FAMILY = Qwen2
