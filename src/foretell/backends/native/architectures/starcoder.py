"""StarCoder, SantaCoder (Li et al. 2023, arXiv 2305.06161): GPT-2, heads sharing key and value.

Checkpoints whose heads have keys and values of their own keep them by heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from foretell.backends.native.architectures.gptj import SIZE_NAMES
from foretell.backends.native.decoder import FUSED_QKV, Factors, hf_names
from foretell.backends.native.gpt import GPT, POSITIONS, refuse_others, token_names
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class StarCoder(GPT):
    """The sizes of one StarCoder model, and its computation."""

    ARCHITECTURES: ClassVar = ("starcoder",)
    MODEL_TYPES: ClassVar = ("gpt_bigcode",)
    DEFAULTS: ClassVar = {"layer_norm_epsilon": 1e-5, "tie_word_embeddings": True}
    CONFIG_NAMES: ClassVar = SIZE_NAMES
    ACTIVATIONS: ClassVar = ("gelu_pytorch_tanh",)
    BIASES: ClassVar = (FUSED_QKV, "attn_output", "ffn_up", "ffn_down")
    HAS_POSITIONS: ClassVar = True
    HF_NAMES: ClassVar = {
        **token_names("transformer.wte", "transformer.ln_f"),
        POSITIONS: HFName("transformer.wpe.weight"),
        **hf_names(
            "transformer.h.{}",
            attn_norm="ln_1",
            attn_qkv="attn.c_attn",
            attn_output="attn.c_proj",
            ffn_norm="ln_2",
            ffn_up="mlp.c_fc",
            ffn_down="mlp.c_proj",
        ),
    }

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model = super().from_config(checkpoint)
        return replace(model, groups=model.shape.heads.kv)

    @classmethod
    def _config_kv_heads(cls, values: Mapping[str, Any]) -> object:
        return 1 if values.get("multi_query", True) else None

    @classmethod
    def _config_factors(cls, reader: MetadataReader) -> Factors:
        return Factors(attention=None if reader.flag("scale_attn_weights", True) else 1.0)

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        reader.flag("multi_query", True)
        refuse_others(reader, add_cross_attention=False)


FAMILY = StarCoder
