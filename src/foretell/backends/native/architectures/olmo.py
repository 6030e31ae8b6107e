"""OLMo (Groeneveld et al. 2024, arXiv 2402.00838): Llama with layer norms that have no weights.

Some clamp what queries, keys and values are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import LayerNormDecoder
from foretell.backends.native.plan import Plan, Value
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class OLMo(LayerNormDecoder):
    """The sizes of one OLMo model, and its computation.

    Attributes:
        bound: how large queries, keys and values may be; None: as they are.
    """

    ARCHITECTURES: ClassVar = ("olmo",)
    MODEL_TYPES: ClassVar = ("olmo",)
    DEFAULTS: ClassVar = {"layer_norm_eps": 1e-5}
    NORM_PARTS: ClassVar = ()
    IS_INTERLEAVED: ClassVar = True

    bound: float | None = None

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata; a bound of 0 is none."""
        bound = reader.number("attention.clamp_kqv", 0, 1e9, 0.0) or None
        return replace(super().from_gguf(file, reader), bound=bound)

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        reader = cls._config_reader(checkpoint)
        bound = reader.number("clip_qkv", 1e-9, 1e9) if "clip_qkv" in reader else None
        return replace(super().from_config(checkpoint), bound=bound)

    def _queries_keys_values(self, plan: Plan, h: Value, name: str) -> tuple[Value, Value, Value]:
        q, k, v = super()._queries_keys_values(plan, h, name)
        if self.bound is None:
            return q, k, v
        return plan.clamp(q, self.bound), plan.clamp(k, self.bound), plan.clamp(v, self.bound)


FAMILY = OLMo
