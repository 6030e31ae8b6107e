"""SmolLM3 (Bakouch et al. 2025): Llama with layers that rotate nothing.

In files it is each fourth; a checkpoint names them, and may give them a window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import Decoder
from foretell.formats.checkpoint import Checkpoint

INTERVAL = 4


@dataclass(frozen=True)
class SmolLM3(Decoder):
    """The sizes of one SmolLM3 model, and its computation.

    Attributes:
        rotated: whether each layer rotates; empty: all but each fourth.
    """

    ARCHITECTURES: ClassVar = ("smollm3",)
    MODEL_TYPES: ClassVar = ("smollm3",)
    DEFAULTS: ClassVar = {
        "num_key_value_heads": 4,
        "rope_theta": 2_000_000.0,
        "tie_word_embeddings": True,
    }
    IS_INTERLEAVED: ClassVar = True

    rotated: tuple[int, ...] = ()

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model, reader = super().from_config(checkpoint), cls._config_reader(checkpoint)
        interval = reader.integer("no_rope_layer_interval", 1, 1024, INTERVAL)
        layers = model.shape.layers
        usual = [int((layer + 1) % interval != 0) for layer in range(layers)]
        rotated = reader.integers("no_rope_layers", usual)
        if len(rotated) != layers or not set(rotated) <= {0, 1}:
            raise reader.wrong(f"no_rope_layers must be 0 or 1 for each of {layers} layers")
        return replace(model, rotated=tuple(rotated))

    def rotates(self, layer: int) -> bool:
        """Whether this layer's queries and keys are rotated."""
        return bool(self.rotated[layer]) if self.rotated else (layer + 1) % INTERVAL != 0


FAMILY = SmolLM3
