"""Qwen 3.5's mixtures, their text part (Qwen Team 2026): Qwen 3.5 with experts, one shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.architectures.qwen2_moe import Qwen2Moe
from foretell.backends.native.architectures.qwen3_5 import Qwen35
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Qwen35Moe(Qwen35, Qwen2Moe):
    """The sizes of one mixture of Qwen 3.5's, and its computation."""

    ARCHITECTURES: ClassVar = ("qwen35moe",)
    MODEL_TYPES: ClassVar = ("qwen3_5_moe", "qwen3_5_moe_text")
    DEFAULTS: ClassVar = {
        **Qwen35.DEFAULTS,
        "intermediate_size": 512,  # of layers without experts, of which it has none
        "moe_intermediate_size": 512,
        "num_experts": 256,
        "num_experts_per_tok": 8,
        "num_key_value_heads": 2,
        "shared_expert_intermediate_size": 512,
    }
    HAS_BIASES: ClassVar = False
    NORMALIZES: ClassVar = True
    HF_NAMES: ClassVar = {**Qwen2Moe.HF_NAMES, **Qwen35.HF_NAMES}

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        return super(Qwen2Moe, cls)._config_biases(reader)

    @classmethod
    def _file_hidden(cls, reader: MetadataReader) -> int:
        """That of an expert, where the file says none: there are no other MLPs."""
        width = reader.integer("expert_feed_forward_length", 1, 2**20)
        return reader.integer("feed_forward_length", 1, 2**20, width)


FAMILY = Qwen35Moe
