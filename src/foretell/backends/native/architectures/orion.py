"""Orion (OrionStar 2024, arXiv 2401.12246), from GGUF files: Llama with layer norms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import LayerNormDecoder


@dataclass(frozen=True)
class Orion(LayerNormDecoder):
    """The sizes of one Orion model, and its computation."""

    ARCHITECTURES: ClassVar = ("orion",)


FAMILY = Orion
