"""EXAONE 4 (LG AI Research 2025, arXiv 2507.11407): norms after attention and MLP, not before.

Each query and key is normed. Where a window is stated, layers that see all rotate nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import Decoder, hf_names
from foretell.backends.native.model import file_windows, layer_windows
from foretell.backends.native.plan import Plan, RopeTable, Value
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

PATTERN = 4  # every fourth layer sees all
WINDOW = 4096


@dataclass(frozen=True)
class EXAONE4(Decoder):
    """The sizes of one EXAONE 4 model, and its computation.

    Attributes:
        states_window: whether a window is stated, though no layer may have it.
    """

    ARCHITECTURES: ClassVar = ("exaone4",)
    MODEL_TYPES: ClassVar = ("exaone4",)
    DEFAULTS: ClassVar = {
        "num_key_value_heads": 32,
        "rms_norm_eps": 1e-5,
        "sliding_window": WINDOW,
    }
    HAS_HEAD_NORMS: ClassVar = True
    HF_NAMES: ClassVar = {
        **Decoder.HF_NAMES,
        **hf_names(
            post_attention_norm="post_attention_layernorm",
            post_ffw_norm="post_feedforward_layernorm",
        ),
    }

    states_window: bool = False

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        return replace(model, states_window=any(model.windows))

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        states_window = "sliding_window" in cls._config_reader(checkpoint)
        return replace(super().from_config(checkpoint), states_window=states_window)

    def rotates(self, layer: int) -> bool:
        """Whether this layer's queries and keys are rotated."""
        return self.windows[layer] is not None or not self.states_window

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        name = f"blk.{layer}"
        h = self._attention(plan, x, layer, rope)
        x = self._norm(plan, h, f"{name}.post_attention_norm", residual=x)
        h = self._feed_forward(plan, x, name)
        return self._norm(plan, h, f"{name}.post_ffw_norm", residual=x)

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        if "sliding_window" not in reader:
            return (None,) * layers
        window = reader.integer("sliding_window", 1, 2**24)
        if isinstance(reader.values.get("sliding_window_pattern"), str) and (
            "layer_types" not in reader
        ):
            raise reader.unsupported("sliding_window_pattern in letters without layer_types")
        pattern = PATTERN
        if "layer_types" not in reader:
            pattern = reader.integer("sliding_window_pattern", 1, 1024, PATTERN)
        return layer_windows(reader, layers, window=window, pattern=pattern)

    @classmethod
    def _file_windows(cls, reader: MetadataReader, layers: int) -> tuple[int | None, ...]:
        return file_windows(reader, layers, pattern=PATTERN)


FAMILY = EXAONE4
