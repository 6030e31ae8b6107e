"""Granite (IBM 2024): Llama with factors of embeddings, scores, residuals and logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Decoder, Factors
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Granite(Decoder):
    """The sizes of one Granite model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("granite",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("granite",)
    IS_INTERLEAVED: ClassVar = True

    @classmethod
    def _config_factors(cls, reader: MetadataReader) -> Factors:
        return Factors(
            embedding=reader.number("embedding_multiplier", -1e6, 1e6, 1.0),
            attention=reader.number("attention_multiplier", 1e-6, 1e6, 1.0),
            residual=reader.number("residual_multiplier", -1e6, 1e6, 1.0),
            logits=1 / reader.number("logits_scaling", 1e-6, 1e6, 1.0),
        )

    @classmethod
    def _file_factors(cls, reader: MetadataReader) -> Factors:
        """As in llama.cpp, 0 is as if it were not stated."""
        return Factors(
            embedding=reader.number("embedding_scale", -1e6, 1e6, 1.0) or 1.0,
            attention=reader.number("attention.scale", 0, 1e6, 0.0) or None,
            residual=reader.number("residual_scale", -1e6, 1e6, 1.0) or 1.0,
            logits=1 / (reader.number("logit_scale", -1e6, 1e6, 1.0) or 1.0),
        )


FAMILY = Granite
