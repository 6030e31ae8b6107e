"""BLOOM (BigScience 2022, arXiv 2211.05100): ALiBi, normed embeddings.

Checkpoints keep queries, keys and values by heads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import FUSED_QKV, hf_names
from foretell.backends.native.gpt import EMBEDDING_NORM, GPT, refuse_others, token_names
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader

EMBEDDING_NORM_NAME = "transformer.word_embeddings_layernorm"
SIZE_NAMES = {
    "hidden_size": "n_embed",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
}
LAYER_NAMES = hf_names(
    "transformer.h.{}",
    attn_norm="input_layernorm",
    attn_qkv="self_attention.query_key_value",
    attn_output="self_attention.dense",
    ffn_norm="post_attention_layernorm",
    ffn_up="mlp.dense_h_to_4h",
    ffn_down="mlp.dense_4h_to_h",
)
"""Names that checkpoints of Falcon have taken over, as those of sizes."""


@dataclass(frozen=True)
class Bloom(GPT):
    """The sizes of one BLOOM model, and its computation."""

    ARCHITECTURES: ClassVar = ("bloom",)
    MODEL_TYPES: ClassVar = ("bloom",)
    DEFAULTS: ClassVar = {
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
        "seq_length": 2048,
    }
    CONFIG_NAMES: ClassVar = {**SIZE_NAMES, "max_position_embeddings": "seq_length"}
    HIDDEN_KEY: ClassVar = ""
    BIASES: ClassVar = (FUSED_QKV, "attn_output", "ffn_up", "ffn_down")
    HAS_EMBEDDING_NORM: ClassVar = True
    HF_NAMES: ClassVar = {
        **token_names("transformer.word_embeddings", "transformer.ln_f"),
        f"{EMBEDDING_NORM}.weight": HFName(f"{EMBEDDING_NORM_NAME}.weight"),
        f"{EMBEDDING_NORM}.bias": HFName(f"{EMBEDDING_NORM_NAME}.bias"),
        **LAYER_NAMES,
    }

    max_bias: float = 8.0

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model = super().from_config(checkpoint)
        return replace(model, groups=model.shape.heads.query)

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        refuse_others(reader, apply_residual_connection_post_layernorm=False)


FAMILY = Bloom
