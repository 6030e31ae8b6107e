"""MiniCPM 3 (OpenBMB 2024): MiniCPM with DeepSeek's latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.architectures.minicpm import MiniCPM
from foretell.backends.native.latent import LatentDecoder


@dataclass(frozen=True)
class MiniCPM3(LatentDecoder, MiniCPM):
    """The sizes of one MiniCPM 3 model, and its computation."""

    ARCHITECTURES: ClassVar = ("minicpm3",)
    MODEL_TYPES: ClassVar = ("minicpm3",)
    DEFAULTS: ClassVar = {
        "dim_model_base": 256,
        "kv_lora_rank": 256,
        "q_lora_rank": 768,
        "qk_nope_head_dim": 64,
        "qk_rope_head_dim": 32,
        "rms_norm_eps": 1e-5,
        "scale_depth": 1.4,
        "scale_emb": 12,
        "tie_word_embeddings": True,
    }
    IS_INTERLEAVED: ClassVar = False
    IS_INTERLEAVED_IN_FOLDERS: ClassVar = False


FAMILY = MiniCPM3
