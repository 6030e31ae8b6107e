"""MiniCPM (Hu et al. 2024, arXiv 2404.06395): Llama with factors that follow its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.architectures.granite import Granite
from foretell.backends.native.decoder import Factors
from foretell.formats.metadata import MetadataReader

EMBEDDING, DEPTH, BASE_WIDTH = 12.0, 1.4, 256  # of MiniCPM 1 and 2, whose older files state none


@dataclass(frozen=True)
class MiniCPM(Granite):
    """The sizes of one MiniCPM model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("minicpm",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("minicpm",)
    DEFAULTS: ClassVar = {"dim_model_base": 1, "scale_depth": 1.0, "scale_emb": 1.0}

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        if reader.integer("num_experts", 0, 2**16, 0):
            raise reader.unsupported("a mixture of experts")
        if "sparse_config" in reader:
            raise reader.unsupported("sparse_config")

    @classmethod
    def _config_factors(cls, reader: MetadataReader) -> Factors:
        """Where a size that a factor follows is null, there is none."""
        width = reader.integer("hidden_size", 16, 2**16)
        depth = reader.integer("num_hidden_layers", 1, 1024) ** 0.5
        return Factors(
            embedding=reader.number("scale_emb", 1e-6, 1e6),
            residual=reader.number("scale_depth", 1e-6, 1e6, depth) / depth,
            logits=reader.integer("dim_model_base", 1, 2**16, width) / width,
        )

    @classmethod
    def _file_factors(cls, reader: MetadataReader) -> Factors:
        width = reader.integer("embedding_length", 16, 2**16)
        layers = reader.integer("block_count", 1, 1024)
        depth = DEPTH / layers**0.5
        return Factors(
            embedding=reader.number("embedding_scale", -1e6, 1e6, EMBEDDING) or 1.0,
            residual=reader.number("residual_scale", -1e6, 1e6, depth) or 1.0,
            logits=1 / (reader.number("logit_scale", -1e6, 1e6, width / BASE_WIDTH) or 1.0),
        )


FAMILY = MiniCPM
