"""Mixtral (Jiang et al. 2024, arXiv 2401.04088): Llama with eight experts, of which two compute.

Its GGUF files say that they are Llama's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.mixtures import MixtureDecoder, expert_names, router_names
from foretell.backends.native.model import same_window
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Mixtral(MixtureDecoder):
    """The sizes of one Mixtral model, and its computation."""

    MODEL_TYPES: ClassVar = ("mixtral",)
    DEFAULTS: ClassVar = {
        "num_experts_per_tok": 2,
        "num_key_value_heads": 8,
        "num_local_experts": 8,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1_000_000.0,
    }
    HF_NAMES: ClassVar = {
        **MixtureDecoder.HF_NAMES,
        **router_names("block_sparse_moe.gate", "mlp.gate"),
        **expert_names("block_sparse_moe", ("w1", "w3", "w2")),
    }

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        return same_window(reader, layers)


FAMILY = Mixtral
