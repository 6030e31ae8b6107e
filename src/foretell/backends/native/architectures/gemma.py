"""Gemma (Gemma Team 2024, arXiv 2403.08295): scaled embeddings, an MLP gated by GELU.

Checkpoints keep the norms' weights less 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from foretell.backends.native.decoder import Decoder, Factors
from foretell.backends.native.plan import Plan, Value
from foretell.backends.native.weights.source import HFName
from foretell.formats.metadata import MetadataReader


def above_one(names: Mapping[str, HFName]) -> dict[str, HFName]:
    """The names, norms among them said to be kept less 1."""
    return {
        name: replace(stored, plus=1.0) if name.endswith("norm.weight") else stored
        for name, stored in names.items()
    }


@dataclass(frozen=True)
class Gemma(Decoder):
    """The sizes of one Gemma model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("gemma",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("gemma",)
    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "head_dim": 256,
        "num_key_value_heads": 16,
        "tie_word_embeddings": True,
    }
    ACTIVATIONS: ClassVar[tuple[str, ...]] = ("gelu_pytorch_tanh", "gelu_new", "gelu")
    HF_NAMES: ClassVar[dict[str, HFName]] = above_one(Decoder.HF_NAMES)

    def _activate(self, plan: Plan, gates: Value, values: Value) -> Value:
        """In the tanh form: published files that say "gelu" mean it too."""
        return plan.gelu(gates, values)

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        if reader.flag("use_bidirectional_attention", False):
            raise reader.unsupported("use_bidirectional_attention=true")

    @classmethod
    def _config_factors(cls, reader: MetadataReader) -> Factors:
        return Factors(embedding=reader.integer("hidden_size", 16, 2**16) ** 0.5)

    @classmethod
    def _file_factors(cls, reader: MetadataReader) -> Factors:
        return Factors(embedding=reader.integer("embedding_length", 16, 2**16) ** 0.5)


FAMILY = Gemma
