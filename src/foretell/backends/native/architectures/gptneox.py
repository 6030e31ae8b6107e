"""GPT-NeoX, Pythia (Black et al. 2022, arXiv 2204.06745; Biderman et al. 2023, 2304.01373).

A quarter of a head rotated; attention and MLP see the same rows, each normed for itself, and are
added together. Checkpoints keep queries, keys and values by heads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import FUSED_QKV, hf_names
from foretell.backends.native.gpt import GPT, token_names
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

MLP = ("ffn_up", "ffn_down")


@dataclass(frozen=True)
class GPTNeoX(GPT):
    """The sizes of one GPT-NeoX model, and its computation."""

    ARCHITECTURES: ClassVar = ("gptneox",)
    MODEL_TYPES: ClassVar = ("gpt_neox",)
    DEFAULTS: ClassVar = {
        "intermediate_size": 24_576,
        "layer_norm_eps": 1e-5,
        "rotary_emb_base": 10_000,
        "rotary_pct": 0.25,
    }
    CONFIG_NAMES: ClassVar = {
        "partial_rotary_factor": "rotary_pct",
        "rope_theta": "rotary_emb_base",
    }
    CONFIG_EPS: ClassVar = "layer_norm_eps"
    HIDDEN_KEY: ClassVar = "intermediate_size"
    ACTIVATIONS: ClassVar = ("gelu",)
    BIASES: ClassVar = MLP
    ROTATES: ClassVar = True
    HF_NAMES: ClassVar = {
        **token_names("gpt_neox.embed_in", "gpt_neox.final_layer_norm"),
        **hf_names(
            "gpt_neox.layers.{}",
            attn_norm="input_layernorm",
            attn_qkv="attention.query_key_value",
            attn_output="attention.dense",
            ffn_norm="post_attention_layernorm",
            ffn_up="mlp.dense_h_to_4h",
            ffn_down="mlp.dense_4h_to_h",
        ),
    }

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        is_parallel = reader.flag("use_parallel_residual", True)
        return replace(super().from_gguf(file, reader), is_parallel=is_parallel)

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model = super().from_config(checkpoint)
        is_parallel = cls._config_reader(checkpoint).flag("use_parallel_residual", True)
        return replace(model, groups=model.shape.heads.query, is_parallel=is_parallel)

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        has_biases = reader.flag("attention_bias", True)
        return frozenset((*MLP, *((FUSED_QKV, "attn_output") if has_biases else ())))


FAMILY = GPTNeoX
