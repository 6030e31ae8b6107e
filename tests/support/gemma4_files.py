"""Tiny random Gemma 4s, made with transformers, and what GGUF files say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from transformers import Gemma4ForCausalLM, Gemma4TextConfig

from support.family_files import Family, maker

FULL = "full_attention"
KINDS = ["sliding_attention", "sliding_attention", FULL, "sliding_attention", FULL]


def is_near(config: Any) -> list[bool]:
    return [kind != FULL for kind in config.layer_types]


def _metadata(config: Any) -> dict[str, Any]:
    layers, near = config.num_hidden_layers, is_near(config)
    heads = [config.per_layer_config[layer] for layer in range(layers)]
    far, local = heads[near.index(False)], heads[near.index(True)]
    first_shared = layers - config.num_kv_shared_layers
    wide = [config.use_double_wide_mlp and layer >= first_shared for layer in range(layers)]
    rope = config.rope_parameters
    experts = {
        "expert_count": config.num_experts,
        "expert_used_count": config.top_k_experts,
        "expert_feed_forward_length": config.moe_intermediate_size,
    }
    return {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "embedding_length_per_layer_input": config.hidden_size_per_layer_input,
        "block_count": layers,
        "feed_forward_length": [config.intermediate_size * (1 + one) for one in wide],
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": [one.num_key_value_heads for one in heads],
        "attention.key_length": far.head_dim,
        "attention.value_length": far.head_dim,
        "attention.key_length_swa": local.head_dim,
        "attention.value_length_swa": local.head_dim,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "attention.shared_kv_layers": config.num_kv_shared_layers,
        "attention.sliding_window": config.sliding_window,
        "attention.sliding_window_pattern": near,
        "rope.dimension_count": far.head_dim,
        "rope.dimension_count_swa": local.head_dim,
        "rope.freq_base": rope[FULL]["rope_theta"],
        "rope.freq_base_swa": rope["sliding_attention"]["rope_theta"],
        "final_logit_softcapping": config.final_logit_softcapping or 0.0,
        **(experts if config.enable_moe_block else {}),
    }


def _tensors(model: Any) -> dict[str, np.ndarray]:
    """Pairs that turn, or are stopped; scales; and what files have that nothing reads."""
    config = model.config
    pairs = config.per_layer_config[is_near(config).index(False)].head_dim // 2
    turning = int(config.rope_parameters[FULL]["partial_rotary_factor"] * pairs)
    divisors = np.where(np.arange(pairs) < turning, 1, 1e30).astype(np.float32)
    first_shared = config.num_hidden_layers - config.num_kv_shared_layers
    unread = {
        f"blk.{layer}.attn_k_norm.weight": np.ones(config.per_layer_config[layer].head_dim)
        for layer in range(first_shared, config.num_hidden_layers)
    }
    return {"rope_freqs.weight": divisors, **unread, **_scales(model)}


def _scales(model: Any) -> dict[str, np.ndarray]:
    return {
        f"blk.{layer}.{name}.scale": weight.detach().numpy()
        for layer, one in enumerate(model.model.layers if model.config.enable_moe_block else [])
        for name, weight in (
            ("ffn_gate_inp", one.router.scale),
            ("ffn_down_exps", one.router.per_expert_scale),
        )
    }


def _convert(_: Any, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    if name.endswith(("router.scale", "router.per_expert_scale")):
        return {}
    if name.endswith((".layer_scalar", ".experts.gate_up_proj", ".experts.down_proj")):
        name += ".weight"
    return {name: values}


SIZES = {
    "intermediate_size": 96,
    "num_hidden_layers": 5,
    "layer_types": KINDS,
    "head_dim": 16,
    "global_head_dim": 32,
    "vocab_size_per_layer_input": 160,
    "hidden_size_per_layer_input": 32,
    "sliding_window": 13,
}
GEMMA4 = Family(
    "gemma4",
    maker(Gemma4ForCausalLM, Gemma4TextConfig, **SIZES),
    _metadata,
    tensors=_tensors,
    convert=_convert,
)
