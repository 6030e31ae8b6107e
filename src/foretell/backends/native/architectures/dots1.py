"""dots.llm1 (Huo et al. 2025, arXiv 2506.05767): sigmoid experts, norms of each query and key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.mixtures import SigmoidMixtureDecoder
from foretell.backends.native.model import layer_windows
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Dots1(SigmoidMixtureDecoder):
    """The sizes of one dots.llm1 model, and its computation."""

    ARCHITECTURES: ClassVar = ("dots1",)
    MODEL_TYPES: ClassVar = ("dots1",)
    DEFAULTS: ClassVar = {
        "max_window_layers": 62,
        "moe_intermediate_size": 1408,
        "norm_topk_prob": False,
        "num_key_value_heads": 32,
        "sliding_window": 4096,
    }
    HAS_HEAD_NORMS: ClassVar = True

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        if "sliding_window" not in reader:
            return (None,) * layers
        window = reader.integer("sliding_window", 1, 2**24)
        if "layer_types" in reader:
            return layer_windows(reader, layers, window=window, pattern=1)
        first = reader.integer("max_window_layers", 0, 2**16)
        return tuple(None if layer < first else window for layer in range(layers))


FAMILY = Dots1
