"""Command R7B, Command A (Cohere 2024, 2025): Command R with windows on three of four layers.

The others see all, and rotate nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.architectures.cohere import Cohere
from foretell.backends.native.model import file_windows, layer_windows
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader

PATTERN = 4  # every fourth layer sees all
WINDOW = 4096


@dataclass(frozen=True)
class Cohere2(Cohere):
    """The sizes of one Command R7B or Command A model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("cohere2",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("cohere2",)
    DEFAULTS: ClassVar = {**Cohere.DEFAULTS, "rope_theta": 10_000.0, "sliding_window": WINDOW}

    def rotates(self, layer: int) -> bool:
        """Whether this layer's queries and keys are rotated."""
        return self.windows[layer] is not None

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        window = reader.integer("sliding_window", 1, 2**24)
        pattern = reader.integer("sliding_window_pattern", 1, 1024, PATTERN)
        return layer_windows(reader, layers, window=window, pattern=pattern)

    @classmethod
    def _file_windows(cls, reader: MetadataReader, layers: int) -> tuple[int | None, ...]:
        return file_windows(reader, layers, pattern=PATTERN)


FAMILY = Cohere2
