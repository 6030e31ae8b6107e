"""DeepSeek V3 and R1 (DeepSeek-AI 2024, arXiv 2412.19437), Kimi K2: latents and sigmoid experts.

Layers that predict further tokens are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.latent import LatentDecoder
from foretell.backends.native.mixtures import SigmoidMixtureDecoder
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class DeepseekV3(LatentDecoder, SigmoidMixtureDecoder):
    """The sizes of one DeepSeek V3 model, and its computation.

    Attributes:
        CHOICES: what its config says of how experts are chosen, where it says it.
    """

    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("deepseek_v3", "kimi_k2")
    DEFAULTS: ClassVar = {
        "first_k_dense_replace": 3,
        "kv_lora_rank": 512,
        "moe_intermediate_size": 2048,
        "n_group": 8,
        "n_routed_experts": 256,
        "n_shared_experts": 1,
        "num_experts_per_tok": 8,
        "q_lora_rank": 1536,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "routed_scaling_factor": 2.5,
        "topk_group": 4,
        "v_head_dim": 128,
    }
    CHOICES: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = (
        ("scoring_func", ("sigmoid",)),
        ("topk_method", ("noaux_tc",)),
    )
    HF_NAMES: ClassVar = {**SigmoidMixtureDecoder.HF_NAMES, **LatentDecoder.HF_NAMES}

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        for key, known in cls.CHOICES:
            if reader.text(key, known[0]) not in known:
                raise reader.unsupported(f"a {key} other than {' or '.join(known)}")
        if reader.integer("moe_layer_freq", 1, 2**16, 1) != 1:
            raise reader.unsupported("moe_layer_freq other than 1")


FAMILY = DeepseekV3
