"""Mistral and Ministral (Jiang et al. 2023, arXiv 2310.06825): Llama with windows of attention.

Its GGUF files say that they are Llama's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.architectures.llama import Llama
from foretell.backends.native.model import layer_windows
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader

WINDOW = 4096


@dataclass(frozen=True)
class Mistral(Llama):
    """The sizes of one Mistral model, and its computation."""

    ARCHITECTURES: ClassVar = ()
    MODEL_TYPES: ClassVar = ("mistral", "ministral")
    DEFAULTS: ClassVar = {"num_key_value_heads": 8}

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        if checkpoint.config.get("sliding_window", WINDOW) is None:
            return (None,) * layers
        window = reader.integer("sliding_window", 1, 2**24, WINDOW)
        if checkpoint.config.get("model_type") == "mistral" or "layer_types" not in reader:
            return (window,) * layers
        return layer_windows(reader, layers, window=window, pattern=1)


FAMILY = Mistral
