"""Qwen 3.5, its text part (Qwen Team 2026): gated DeltaNet in three of four layers.

Every fourth layer has gated attention, a quarter of each head rotated. What reads pictures and what
predicts further tokens is left out of folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from foretell.backends.native.delta_nets import DeltaNetDecoder
from foretell.backends.native.model import text_config
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

REORDERED = tuple(
    f"{part}.weight" for part in ("attn_qkv", "attn_gate", "ssm_alpha", "ssm_beta", "ssm_out")
)


@dataclass(frozen=True)
class Qwen35(DeltaNetDecoder):
    """The sizes of one Qwen 3.5 model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("qwen35",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("qwen3_5", "qwen3_5_text")
    DEFAULTS: ClassVar = {**DeltaNetDecoder.DEFAULTS, "num_key_value_heads": 4}

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata, which tells axes of pictures apart: texts have one."""
        reader.integers("rope.dimension_sections", [])
        return replace(super().from_gguf(file, reader), takes_turns=True)

    @classmethod
    def _stated(cls, checkpoint: Checkpoint) -> Mapping[str, Any]:
        return text_config(checkpoint)

    @property
    def reordered(self) -> tuple[str, ...]:
        """What GGUF files have in another order, where key heads serve several heads."""
        mixer = self.mixer
        return () if mixer is None or mixer.heads == mixer.key_heads else REORDERED


FAMILY = Qwen35
