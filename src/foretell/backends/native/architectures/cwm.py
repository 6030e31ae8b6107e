"""Code World Model (Meta 2025, arXiv 2510.02387): Llama with windows on three of four layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Decoder
from foretell.backends.native.model import layer_windows
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader

PATTERN = 4  # the first of so many layers sees all


@dataclass(frozen=True)
class CWM(Decoder):
    """The sizes of one Code World Model, and its computation."""

    MODEL_TYPES: ClassVar = ("cwm",)
    DEFAULTS: ClassVar = {
        "head_dim": 128,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 1_000_000.0,
            "factor": 16.0,
            "original_max_position_embeddings": 8192,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
        },
        "rope_theta": 1_000_000.0,
        "sliding_window": 8192,
    }

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        window = reader.integer("sliding_window", 1, 2**24)
        if "layer_types" not in reader:
            return tuple(window if layer % PATTERN else None for layer in range(layers))
        return layer_windows(reader, layers, window=window, pattern=1)


FAMILY = CWM
