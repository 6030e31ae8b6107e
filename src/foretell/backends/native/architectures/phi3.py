"""Phi-3 and Phi-4 (Abdin et al. 2024, arXiv 2404.14219 and 2412.08905).

Llama with queries, keys and values in one weight, the MLP's gate and values in another, and
rotations that LongRoPE stretches. The text models alone: Phi-3-small is another family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Decoder, hf_names
from foretell.backends.native.model import file_windows, same_window
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Phi3(Decoder):
    """The sizes of one Phi-3 model, and its computation."""

    ARCHITECTURES: ClassVar = ("phi3",)
    MODEL_TYPES: ClassVar = ("phi3",)
    DEFAULTS: ClassVar = {"rms_norm_eps": 1e-5}
    FUSES_GATE: ClassVar = True
    HF_NAMES: ClassVar = {
        **Decoder.HF_NAMES,
        **hf_names(attn_qkv="self_attn.qkv_proj", ffn_up="mlp.gate_up_proj"),
    }

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        return same_window(reader, layers)

    @classmethod
    def _file_windows(cls, reader: MetadataReader, layers: int) -> tuple[int | None, ...]:
        return file_windows(reader, layers)


FAMILY = Phi3
