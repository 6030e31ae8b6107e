"""Falcon (Almazrouei et al. 2023, arXiv 2311.16867): attention and MLP are added together.

7B has one norm for both and one head of keys and values, 40B and 180B a norm for each and a few
heads. RW has ALiBi instead of rotations, rounded to bfloat16. Checkpoints keep queries,
keys and values by the heads that share them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from foretell.backends.native.architectures.bloom import LAYER_NAMES, SIZE_NAMES
from foretell.backends.native.decoder import FUSED_QKV, hf_names
from foretell.backends.native.gpt import GPT, token_names
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

MLP_NORM = "mlp_norm"  # files call it attn_norm, as checkpoints call the only norm of others
MAX_BIAS = 8.0
PRODUCTS = (FUSED_QKV, "attn_output", "ffn_up", "ffn_down")


@dataclass(frozen=True)
class Falcon(GPT):
    """The sizes of one Falcon model, and its computation."""

    ARCHITECTURES: ClassVar = ("falcon",)
    MODEL_TYPES: ClassVar = ("falcon",)
    DEFAULTS: ClassVar = {
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
        "max_position_embeddings": 2048,
    }
    CONFIG_NAMES: ClassVar = {**SIZE_NAMES, "hidden_act": "activation"}
    HIDDEN_KEY: ClassVar = "ffn_hidden_size"
    ACTIVATIONS: ClassVar = ("gelu",)
    ROTATES: ClassVar = True
    ROUNDS_BIASES: ClassVar = True
    HF_NAMES: ClassVar = {
        **token_names("transformer.word_embeddings", "transformer.ln_f"),
        **LAYER_NAMES,
        **hf_names("transformer.h.{}", attn_norm_2="ln_attn", mlp_norm="ln_mlp"),
    }

    is_parallel: bool = True
    mlp_norm: str = "attn_norm"

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        has_two = "blk.0.attn_norm_2.weight" in file.tensors
        return replace(model, attention_norm="attn_norm_2") if has_two else model

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model = super().from_config(checkpoint)
        model = replace(model, groups=model.shape.heads.kv)
        reader = cls._config_reader(checkpoint)
        is_new = reader.flag("new_decoder_architecture", False)
        if reader.flag("alibi", False):
            model = replace(model, max_bias=MAX_BIAS)
        if not reader.flag("parallel_attn", True):
            return replace(model, is_parallel=False, mlp_norm="ffn_norm")
        if reader.integer("num_ln_in_parallel_attn", 1, 2, 2 if is_new else 1) == 2:
            return replace(model, attention_norm="attn_norm_2", mlp_norm=MLP_NORM)
        return model

    @classmethod
    def _config_kv_heads(cls, values: Mapping[str, Any]) -> object:
        if values.get("new_decoder_architecture"):
            return values.get("num_kv_heads")
        return 1 if values.get("multi_query", True) else None

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        reader.flag("multi_query", True)
        is_new = reader.flag("new_decoder_architecture", False)
        reader.flag("alibi", False)
        if is_new and not reader.flag("parallel_attn", True):
            raise reader.unsupported("parallel_attn=false with new_decoder_architecture=true")
        if not is_new and reader.integer("num_ln_in_parallel_attn", 1, 2, 1) == 2:
            raise reader.unsupported("num_ln_in_parallel_attn=2 of the older architecture")

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        return frozenset(PRODUCTS if reader.flag("bias", False) else ())


FAMILY = Falcon
