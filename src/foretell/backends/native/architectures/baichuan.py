"""Baichuan 7B (Yang et al. 2023, arXiv 2309.10305), from GGUF files: Llama, by another name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from foretell.backends.native.decoder import Decoder
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

LAYERS_OF_13B = 40


@dataclass(frozen=True)
class Baichuan(Decoder):
    """The sizes of one Baichuan model, and its computation."""

    ARCHITECTURES: ClassVar = ("baichuan",)
    IS_INTERLEAVED: ClassVar = True

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        if model.shape.layers == LAYERS_OF_13B:
            raise reader.unsupported("Baichuan 13B, which has ALiBi in place of rotations,")
        return model


FAMILY = Baichuan
