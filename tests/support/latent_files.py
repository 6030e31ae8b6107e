"""Tiny models with latent attention, made with transformers, and what GGUF files say of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from transformers import (
    DeepseekV2Config,
    DeepseekV2ForCausalLM,
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    Glm4MoeLiteConfig,
    Glm4MoeLiteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MiniCPM3Config,
    MiniCPM3ForCausalLM,
    YoutuConfig,
    YoutuForCausalLM,
)
from transformers.models.deepseek_v2.modeling_deepseek_v2 import DeepseekV2Moe

from support.family_files import Family, maker
from support.kin_files import IDS, divisors, kin_metadata
from support.llama_files import SIZES
from support.mixture_files import take_experts_apart

LATENTS = {
    "num_key_value_heads": 4,
    "kv_lora_rank": 48,
    "q_lora_rank": 32,
    "qk_nope_head_dim": 32,
    "qk_rope_head_dim": 16,
    "v_head_dim": 16,
}
EXPERTS = {
    "n_routed_experts": 8,
    "num_experts_per_tok": 3,
    "n_shared_experts": 2,
    "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
    "routed_scaling_factor": 1.5,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "mscale": 0.707,
    "mscale_all_dim": 0.707,
}


def older_metadata(config: Any) -> dict[str, Any]:
    """What files say in which the matrix of keys and values is whole."""
    rank = {"attention.q_lora_rank": config.q_lora_rank} if config.q_lora_rank else {}
    rope = config.rope_parameters
    weight = rope.get("mscale_all_dim")
    return {
        **kin_metadata(config),
        **rank,
        **({"rope.scaling.yarn_log_multiplier": 0.1 * weight} if weight else {}),
        "attention.kv_lora_rank": config.kv_lora_rank,
        "attention.key_length": config.qk_head_dim,
        "attention.value_length": config.v_head_dim,
        "rope.dimension_count": config.qk_rope_head_dim,
    }


def newer_metadata(config: Any) -> dict[str, Any]:
    """What files say in which it is split: sizes of the cache, and those of heads."""
    return {
        **older_metadata(config),
        "attention.head_count_kv": 1,
        "attention.key_length": config.kv_lora_rank + config.qk_rope_head_dim,
        "attention.value_length": config.kv_lora_rank,
        "attention.key_length_mla": config.qk_head_dim,
        "attention.value_length_mla": config.v_head_dim,
    }


def experts_metadata(config: Any) -> dict[str, Any]:
    """What files say of experts; groups, and the kind of scores, where there are any to tell."""
    groups = getattr(config, "n_group", None) or 1
    return {
        "expert_count": config.n_routed_experts,
        "expert_used_count": config.num_experts_per_tok,
        "expert_feed_forward_length": config.moe_intermediate_size,
        "expert_shared_count": config.n_shared_experts,
        "expert_weights_scale": float(config.routed_scaling_factor),
        "leading_dense_block_count": getattr(config, "first_k_dense_replace", 1),
        **(
            {"expert_group_count": groups, "expert_group_used_count": config.topk_group}
            if groups > 1
            else {}
        ),
    }


def _sigmoid_metadata(config: Any) -> dict[str, Any]:
    more = {"expert_gating_func": 2, "expert_weights_norm": config.norm_topk_prob}
    return {**newer_metadata(config), **experts_metadata(config), **more}


def _softmax_metadata(config: Any) -> dict[str, Any]:
    return {**newer_metadata(config), **experts_metadata(config), "expert_gating_func": 1}


def _older_softmax_metadata(config: Any) -> dict[str, Any]:
    return {**older_metadata(config), **experts_metadata(config)}


def _dense_metadata(config: Any) -> dict[str, Any]:
    """Files without experts tell of them all the same."""
    more = {
        "expert_feed_forward_length": config.intermediate_size,
        "expert_shared_count": 0,
        "leading_dense_block_count": config.num_hidden_layers,
    }
    return {**newer_metadata(config), **more}


def take_heads_apart(config: Any, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Each head's matrix for keys, transposed, and that for values."""
    if not name.endswith(".kv_b_proj.weight"):
        return take_experts_apart(config, name, values)
    heads = values.reshape(config.num_attention_heads, -1, config.kv_lora_rank)
    keys, rest = np.split(heads, [config.qk_nope_head_dim], axis=1)
    block = name.removesuffix("kv_b_proj.weight")
    turned = np.ascontiguousarray(keys.swapaxes(1, 2))
    return {f"{block}k_b_proj.weight": turned, f"{block}v_b_proj.weight": rest}


def latents(
    architecture: str,
    model: Any,
    config: Any,
    metadata: Callable[[Any], dict[str, Any]],
    *,
    is_split: bool = True,
    **fixed: Any,
) -> Family:
    """A family whose files have the matrix of keys and values split, or whole."""
    return Family(
        architecture,
        maker(model, config, **IDS | LATENTS | fixed),
        metadata,
        convert=take_heads_apart if is_split else take_experts_apart,
        tensors=divisors,
    )


V3 = {**EXPERTS, "n_group": 4, "topk_group": 2, "num_mtp_layers": 0}
DEEPSEEK_V3 = latents("deepseek2", DeepseekV3ForCausalLM, DeepseekV3Config, _sigmoid_metadata, **V3)
DEEPSEEK_V2 = latents(
    "deepseek2", DeepseekV2ForCausalLM, DeepseekV2Config, _softmax_metadata, **EXPERTS
)
OLDER_DEEPSEEK_V2 = latents(
    "deepseek2",
    DeepseekV2ForCausalLM,
    DeepseekV2Config,
    _older_softmax_metadata,
    is_split=False,
    **EXPERTS,
)
GLM4_MOE_LITE = latents(
    "deepseek2",
    Glm4MoeLiteForCausalLM,
    Glm4MoeLiteConfig,
    _sigmoid_metadata,
    **{name: size for name, size in EXPERTS.items() if name != "first_k_dense_replace"},
)
YOUTU = latents("deepseek2", YoutuForCausalLM, YoutuConfig, _dense_metadata)
MINICPM3 = latents(
    "minicpm3",
    MiniCPM3ForCausalLM,
    MiniCPM3Config,
    older_metadata,
    is_split=False,
    hidden_size=256,
    dim_model_base=256,
    scale_depth=1.4,
    scale_emb=12,
)


class DeepseekConfig(LlamaConfig):
    """Llama's, by the name of DeepSeek MoE's, and with what it says of experts."""

    model_type = "deepseek"


def _deepseek(**sizes: Any) -> Any:
    """Llama with the mixtures of DeepSeek V2, whose experts are chosen as they were before."""
    config = DeepseekConfig(**sizes)
    model = LlamaForCausalLM(config)
    mixture = DeepseekV2Config(**{**sizes, "q_lora_rank": None})
    for layer in model.model.layers[config.first_k_dense_replace :]:
        layer.mlp = DeepseekV2Moe(mixture)
    return model


def _deepseek_metadata(config: Any) -> dict[str, Any]:
    return {**kin_metadata(config), **experts_metadata(config)}


DEEPSEEK = Family(
    "deepseek",
    lambda **sizes: _deepseek(**SIZES | IDS | EXPERTS | {"routed_scaling_factor": 1.0} | sizes),
    _deepseek_metadata,
    interleaved=True,
    convert=take_experts_apart,
)
