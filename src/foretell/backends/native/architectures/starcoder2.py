"""StarCoder 2 (Lozhkov et al. 2024, arXiv 2402.19173): a GPT that rotates, with shared kv heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import QKV, hf_names
from foretell.backends.native.gpt import GPT, token_names
from foretell.backends.native.model import file_windows, same_window
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class StarCoder2(GPT):
    """The sizes of one StarCoder 2 model, and its computation."""

    ARCHITECTURES: ClassVar = ("starcoder2",)
    MODEL_TYPES: ClassVar = ("starcoder2",)
    DEFAULTS: ClassVar = {
        "intermediate_size": 12_288,
        "norm_epsilon": 1e-5,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    }
    CONFIG_EPS: ClassVar = "norm_epsilon"
    ACTIVATIONS: ClassVar = ("gelu_pytorch_tanh",)
    HIDDEN_KEY: ClassVar = "intermediate_size"
    KV_HEADS_KEY: ClassVar = "num_key_value_heads"
    ROTATES: ClassVar = True
    HF_NAMES: ClassVar = {
        **token_names("model.embed_tokens", "model.norm"),
        **hf_names(
            attn_norm="input_layernorm",
            attn_q="self_attn.q_proj",
            attn_k="self_attn.k_proj",
            attn_v="self_attn.v_proj",
            attn_output="self_attn.o_proj",
            ffn_norm="post_attention_layernorm",
            ffn_up="mlp.c_fc",
            ffn_down="mlp.c_proj",
        ),
    }

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        has_biases = reader.flag("use_bias", True)
        return frozenset((*QKV, "attn_output", "ffn_up", "ffn_down") if has_biases else ())

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        return same_window(reader, layers)

    @classmethod
    def _file_windows(cls, reader: MetadataReader, layers: int) -> tuple[int | None, ...]:
        return file_windows(reader, layers)


FAMILY = StarCoder2
