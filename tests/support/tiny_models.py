"""Tiny models of random weights, of the families that transformers knows.

FORETELL_TEST_DEVICE=cuda puts them there, and with them the tests of the transformers backend.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, PreTrainedModel

DEVICE = os.environ.get("FORETELL_TEST_DEVICE", "cpu")
VOCAB = 97
CONTEXT = 128
WINDOW = 9
SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
}
GROUPED = {**SIZES, "num_key_value_heads": 2}
OLD = {"vocab_size": VOCAB, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": CONTEXT}
ROUTED = {"num_local_experts": 4, "num_experts_per_tok": 2}
LATENT = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 2,
    "topk_group": 1,
    "moe_intermediate_size": 16,
    "first_k_dense_replace": 1,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 12,
}
LOCAL = {"attention_types": [[["global", "local"], 2]], "num_layers": 4, "num_heads": 4}

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2Config", OLD),
    "llama": ("LlamaConfig", GROUPED),
    "mistral, sliding window": ("MistralConfig", {**GROUPED, "sliding_window": WINDOW}),
    "qwen2": ("Qwen2Config", GROUPED),
    "gpt-neox": ("GPTNeoXConfig", SIZES),
    "phi": ("PhiConfig", SIZES),
    "opt": (
        "OPTConfig",
        {
            **{name: SIZES[name] for name in SIZES if name != "intermediate_size"},
            "ffn_dim": 48,
            "word_embed_proj_dim": 32,
        },
    ),
    "gemma3, local and global layers": (
        "Gemma3TextConfig",
        {
            **GROUPED,
            "num_hidden_layers": 7,
            "head_dim": 16,
            "query_pre_attn_scalar": 16,
            "sliding_window": WINDOW,
        },
    ),
    "gpt-oss, sinks and experts": (
        "GptOssConfig",
        {
            **GROUPED,
            **ROUTED,
            "head_dim": 8,
            "sliding_window": WINDOW,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        },
    ),
    "deepseek v3, keys wider than values": ("DeepseekV3Config", {**SIZES, **LATENT}),
    "gpt-neo, local by its own mask": (
        "GPTNeoConfig",
        {
            "vocab_size": VOCAB,
            "hidden_size": 32,
            "max_position_embeddings": CONTEXT,
            "window_size": WINDOW,
            **LOCAL,
        },
    ),
    "gpt-bigcode, one key head": ("GPTBigCodeConfig", OLD),
    "bloom, no positions but alibi": (
        "BloomConfig",
        {"vocab_size": VOCAB, "hidden_size": 32, "n_layer": 3, "n_head": 4, "seq_length": CONTEXT},
    ),
    "bart's decoder, positions by count": (
        "BartConfig",
        {
            "vocab_size": VOCAB,
            "d_model": 32,
            "decoder_layers": 2,
            "encoder_layers": 2,
            "decoder_attention_heads": 4,
            "decoder_ffn_dim": 48,
            "max_position_embeddings": CONTEXT,
            "is_encoder_decoder": False,
            "forced_eos_token_id": None,
        },
    ),
}
"""By name: the class of its configuration, and what is set in it."""

UNFIT: dict[str, tuple[str, dict[str, Any], str]] = {
    "mamba": (
        "MambaConfig",
        {"vocab_size": VOCAB, "hidden_size": 32, "num_hidden_layers": 2},
        "remembers a state that all its tokens share: must remember keys and values of each",
    ),
    "rwkv": (
        "RwkvConfig",
        {"vocab_size": VOCAB, "hidden_size": 32, "num_hidden_layers": 2},
        "remembers a state that all its tokens share: must remember keys and values of each",
    ),
    "lfm2": (
        "Lfm2Config",
        {**GROUPED, "num_hidden_layers": 4, "layer_types": ["conv", "full_attention"] * 2},
        "does not work with a cache of keys and values only: Cannot get conv state",
    ),
    "openai-gpt": (
        "OpenAIGPTConfig",
        OLD,
        "takes no cache: must keep its keys and values in a Cache",
    ),
}
"""By name the same, and what is said of a model that cannot run on blocks."""

NO_IDS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}

logging.getLogger("transformers").setLevel(logging.ERROR)


def make_tiny(kind: str, settings: dict[str, Any], *, seed: int = 0) -> PreTrainedModel:
    """A model in evaluation mode and float32, with weights that make its choices vary."""
    torch.manual_seed(seed)
    config = getattr(transformers, kind)(**{**NO_IDS, **settings})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(0, 0.25)
    return model.to(DEVICE)


def tiny(family: str) -> PreTrainedModel:
    """The model of a family."""
    return make_tiny(*FAMILIES[family])
