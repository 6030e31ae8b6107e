"""XVERSE (Shenzhen Yuanxiang 2023), from GGUF files: Llama, by another name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Decoder


@dataclass(frozen=True)
class XVERSE(Decoder):
    """The sizes of one XVERSE model, and its computation."""

    ARCHITECTURES: ClassVar = ("xverse",)
    IS_INTERLEAVED: ClassVar = True


FAMILY = XVERSE
