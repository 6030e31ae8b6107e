"""Command R (Cohere 2024): attention and MLP see the same normed rows, and are added together.

Layer norms without biases, neighbours rotated together, logits multiplied. Command R+ norms each
head of queries and keys with weights of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import Factors, LayerNormDecoder
from foretell.backends.native.plan import Plan, RopeTable, Value
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Cohere(LayerNormDecoder):
    """The sizes of one Command R model, and its computation.

    Attributes:
        norms_heads: whether each query and key is normed.
    """

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("command-r",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("cohere",)
    DEFAULTS: ClassVar = {
        "layer_norm_eps": 1e-5,
        "logit_scale": 0.0625,
        "rope_theta": 500_000.0,
        "tie_word_embeddings": True,
    }
    NORM_PARTS: ClassVar = ("weight",)
    IS_INTERLEAVED: ClassVar = True
    IS_INTERLEAVED_IN_FOLDERS: ClassVar = True

    norms_heads: bool = False

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        norms_heads = "blk.0.attn_q_norm.weight" in file.tensors
        return replace(super().from_gguf(file, reader), norms_heads=norms_heads)

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        norms_heads = cls._config_reader(checkpoint).flag("use_qk_norm", False)
        return replace(super().from_config(checkpoint), norms_heads=norms_heads)

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        h = self._norm(plan, x, f"blk.{layer}.attn_norm")
        x = self._attention(plan, h, layer, rope, residual=x)
        return self._feed_forward(plan, h, f"blk.{layer}", residual=x)

    def _norm_heads(self, plan: Plan, q: Value, k: Value, name: str) -> tuple[Value, Value]:
        return self._norm_each_head(plan, q, k, name) if self.norms_heads else (q, k)

    @classmethod
    def _config_factors(cls, reader: MetadataReader) -> Factors:
        return Factors(logits=reader.number("logit_scale", -1e6, 1e6, 1.0))

    @classmethod
    def _file_factors(cls, reader: MetadataReader) -> Factors:
        """As in llama.cpp, 0 is as if it were not stated."""
        return Factors(logits=reader.number("logit_scale", -1e6, 1e6, 1.0) or 1.0)


FAMILY = Cohere
