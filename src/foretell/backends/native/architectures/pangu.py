"""openPangu Embedded (Huawei 2025, arXiv 2505.22375), from GGUF files: Llama with biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Decoder


@dataclass(frozen=True)
class Pangu(Decoder):
    """The sizes of one openPangu Embedded model, and its computation."""

    ARCHITECTURES: ClassVar = ("pangu-embedded",)


FAMILY = Pangu
