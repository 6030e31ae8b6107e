"""Code World Model (Meta 2025, arXiv 2510.02387): Llama with windows on three of four layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Decoder
from foretell.backends.native.model import layer_windows
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader

PATTERN = 4


@dataclass(frozen=True)
class CWM(Decoder):
    """The sizes of one Code World Model, and its computation."""

    MODEL_TYPES: ClassVar = ("cwm",)
    DEFAULTS: ClassVar = {"head_dim": 128, "num_key_value_heads": 8, "rms_norm_eps": 1e-5}

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        if "layer_types" not in reader:
            raise reader.unsupported("a config without layer_types")
        window = reader.integer("sliding_window", 1, 2**24, 8192)
        return layer_windows(reader, layers, window=window, pattern=PATTERN)


FAMILY = CWM
