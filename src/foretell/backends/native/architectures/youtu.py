"""Youtu-LLM (Tencent 2025): DeepSeek's latents without experts.

Its GGUF files are called as DeepSeek's are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.latent import LatentDecoder


@dataclass(frozen=True)
class Youtu(LatentDecoder):
    """The sizes of one Youtu model, and its computation."""

    MODEL_TYPES: ClassVar = ("youtu",)
    DEFAULTS: ClassVar = {
        "kv_lora_rank": 512,
        "q_lora_rank": 1536,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "tie_word_embeddings": True,
        "v_head_dim": 128,
    }


FAMILY = Youtu
