"""OLMo 2 (OLMo Team 2024, arXiv 2501.00656) and OLMo 3: norms after attention and MLP.

What they add is normed, what they see is not; queries and keys are normed over all heads together.
OLMo 3 has windows on three of four layers, and stretches the rotations of the others alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import Decoder, add_rope, hf_names
from foretell.backends.native.model import file_windows, layer_windows
from foretell.backends.native.plan import Plan, RopeTable, Value
from foretell.backends.native.rope import kind_rope
from foretell.backends.native.rope_scalings import Rope, plain_frequencies
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

PATTERN = 4  # every fourth layer sees all
BASE_OF_3 = 500_000.0


@dataclass(frozen=True)
class OLMo2(Decoder):
    """The sizes of one OLMo 2 or 3 model, and its computation.

    Attributes:
        near: how layers with a window rotate, if not as the others.
    """

    ARCHITECTURES: ClassVar = ("olmo2",)
    MODEL_TYPES: ClassVar = ("olmo2", "olmo3")
    DEFAULTS: ClassVar = {"rms_norm_eps": 1e-5}
    HF_NAMES: ClassVar = {
        **Decoder.HF_NAMES,
        **hf_names(
            post_attention_norm="post_attention_layernorm",
            post_ffw_norm="post_feedforward_layernorm",
        ),
    }

    near: Rope | None = None

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        if not any(model.windows):
            return model
        base = reader.number("rope.freq_base", 1, 1e12)
        near = Rope(plain_frequencies(base, 2 * len(model.rope.frequencies)))
        return replace(model, near=near)

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model, reader = super().from_config(checkpoint), cls._config_reader(checkpoint)
        if checkpoint.config.get("model_type") == "olmo2":
            return model
        near, far = (
            kind_rope(reader, model.shape.heads.dim, kind, base=BASE_OF_3)
            for kind in ("sliding_attention", "full_attention")
        )
        return replace(model, near=near, rope=far)

    def _ropes(self, plan: Plan) -> list[RopeTable | None]:
        tables = super()._ropes(plan)
        if self.near is None:
            return tables
        near = add_rope(plan, self.near)
        return [near if window else far for window, far in zip(self.windows, tables, strict=True)]

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        name = f"blk.{layer}"
        h = self._attention(plan, x, layer, rope)
        x = self._norm(plan, h, f"{name}.post_attention_norm", residual=x)
        h = self._feed_forward(plan, x, name)
        return self._norm(plan, h, f"{name}.post_ffw_norm", residual=x)

    def _norm_heads(self, plan: Plan, q: Value, k: Value, name: str) -> tuple[Value, Value]:
        return self._norm_whole(plan, q, k, name)

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        if checkpoint.config.get("model_type") == "olmo2":
            return (None,) * layers
        window = reader.integer("sliding_window", 1, 2**24, 4096)
        return layer_windows(reader, layers, window=window, pattern=PATTERN)

    @classmethod
    def _file_windows(cls, reader: MetadataReader, layers: int) -> tuple[int | None, ...]:
        return file_windows(reader, layers, pattern=PATTERN)


FAMILY = OLMo2
