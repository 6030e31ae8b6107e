"""Ministral 3 (Mistral AI 2025): Llama, stretched by YaRN, within its original context.

Beyond that queries would be multiplied by a factor that grows with the position (Llama 4's), which
no plan computes: sequences are kept shorter. The text part alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import Decoder
from foretell.backends.native.model import same_window
from foretell.backends.native.rope import original_context
from foretell.backends.native.rope_scalings import yarn_magnitude
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Ministral3(Decoder):
    """The sizes of one Ministral 3 model, and its computation."""

    ARCHITECTURES: ClassVar = ("mistral3",)
    MODEL_TYPES: ClassVar = ("ministral3",)
    DEFAULTS: ClassVar = {
        "head_dim": 128,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 1_000_000.0,
            "factor": 16.0,
            "original_max_position_embeddings": 16_384,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "mscale": 1.0,
            "mscale_all_dim": 1.0,
            "llama_4_scaling_beta": 0.1,
        },
    }
    IS_INTERLEAVED: ClassVar = True

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        weight = reader.number("rope.scaling.yarn_log_multiplier", 0, 1e3, 0.0)
        if weight:
            factor = reader.number("rope.scaling.factor", 1e-3, 1e6, 1.0)
            loudness = model.rope.factor / yarn_magnitude(factor, weight)
            model = replace(model, rope=replace(model.rope, factor=loudness))
        grows = reader.number("attention.temperature_scale", 0, 1e3, 0.0) != 0
        longest = model.shape.context_length
        key = "rope.scaling.original_context_length"
        return model._up_to(reader.integer(key, 1, 2**24, longest) if grows else longest)

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model, reader = super().from_config(checkpoint), cls._config_reader(checkpoint)
        rope = reader.part("rope_scaling") or reader.part("rope_parameters")
        if rope is None or not rope.number("llama_4_scaling_beta", 0, 1e3, 0.0):
            return model
        return model._up_to(original_context(rope, reader))

    def _up_to(self, context_length: int) -> Self:
        """The model for sequences that are no longer than this."""
        longest = min(context_length, self.shape.context_length)
        return replace(self, shape=replace(self.shape, context_length=longest))

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        return same_window(reader, layers)


FAMILY = Ministral3
