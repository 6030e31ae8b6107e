"""Tiny mixtures of experts, made with transformers, and what GGUF files say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from transformers import (
    Dots1Config,
    Dots1ForCausalLM,
    Ernie4_5_MoeConfig,
    Ernie4_5_MoeForCausalLM,
    Glm4MoeConfig,
    Glm4MoeForCausalLM,
    GptOssConfig,
    GptOssForCausalLM,
    GraniteMoeConfig,
    GraniteMoeForCausalLM,
    GraniteMoeSharedConfig,
    GraniteMoeSharedForCausalLM,
    HunYuanMoEV1Config,
    HunYuanMoEV1ForCausalLM,
    MiniMaxM2Config,
    MiniMaxM2ForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    OlmoeConfig,
    OlmoeForCausalLM,
    PhimoeConfig,
    PhimoeForCausalLM,
    Qwen2MoeConfig,
    Qwen2MoeForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from support.family_files import Family, llama_metadata, maker

OWN_NAMES = {
    ".block_sparse_moe.experts.": ".mlp.experts.",
    ".block_sparse_moe.router.": ".block_sparse_moe.router.layer.",
    ".mlp.e_score_": ".block_sparse_moe.e_score_",
    ".mlp.router.": ".block_sparse_moe.gate.",
    ".mlp.gate.moe_statics.": ".mlp.moe_statics.",
    "correction_bias": "correction.bias",
}
"""What `gguf` knows weights of transformers' models by: what they were once called."""


def take_experts_apart(_: Any, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Gates and ups by themselves; other tensors as they are, by names that `gguf` knows."""
    for own, known in OWN_NAMES.items():
        name = name.replace(own, known)
    if name.endswith((".gate_up_proj", "shared_mlp.input_linear.weight")):
        block = name.removesuffix("gate_up_proj").removesuffix("input_linear.weight")
        block = block.replace(".shared_mlp.", ".mlp.shared_mlp.")
        gate, up = np.split(values, 2, axis=-2)
        return {f"{block}gate_proj.weight": gate, f"{block}up_proj.weight": up}
    if name.endswith(".experts.down_proj"):
        return {f"{name}.weight": values}
    if name.endswith((".shared_expert_gate.weight", "correction.bias")):
        return {name: values.reshape(-1)}
    return {name: values}


def take_gpt_oss_apart(_: Any, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Its experts are kept transposed, gate and up in turns."""
    if ".experts." not in name:
        name = name.replace(".sinks", ".sinks.weight")
        return {name: values}
    kind = "bias" if name.endswith("_bias") else "weight"
    name = name.removesuffix("_bias")
    rows = values if kind == "bias" else values.swapaxes(1, 2)
    if name.endswith(".down_proj"):
        return {f"{name}.{kind}": rows}
    block = name.removesuffix("gate_up_proj")
    gate, up = rows[:, ::2], rows[:, 1::2]
    return {f"{block}gate_proj.{kind}": gate, f"{block}up_proj.{kind}": up}


def mixture_metadata(config: Any) -> dict[str, Any]:
    hidden = getattr(config, "moe_intermediate_size", None)
    experts = {
        "expert_count": getattr(config, "num_experts", None) or config.num_local_experts,
        "expert_used_count": config.num_experts_per_tok,
    }
    own = {"expert_feed_forward_length": hidden} if hidden else {}
    return {**llama_metadata(config), **experts, **own}


def _qwen2_metadata(config: Any) -> dict[str, Any]:
    shared = config.shared_expert_intermediate_size
    return {**mixture_metadata(config), "expert_shared_feed_forward_length": shared}


EXPERTS = {"num_experts": 6, "num_experts_per_tok": 2}
MIXTRAL = Family(
    "llama",
    maker(MixtralForCausalLM, MixtralConfig, num_local_experts=6, num_experts_per_tok=2),
    mixture_metadata,
    interleaved=True,
    convert=take_experts_apart,
)
QWEN2_MOE = Family(
    "qwen2moe",
    maker(
        Qwen2MoeForCausalLM,
        Qwen2MoeConfig,
        **EXPERTS,
        moe_intermediate_size=32,
        shared_expert_intermediate_size=96,
    ),
    _qwen2_metadata,
    convert=take_experts_apart,
)
QWEN3_MOE = Family(
    "qwen3moe",
    maker(
        Qwen3MoeForCausalLM,
        Qwen3MoeConfig,
        **EXPERTS,
        head_dim=32,
        moe_intermediate_size=32,
        norm_topk_prob=True,
    ),
    mixture_metadata,
    convert=take_experts_apart,
)
OLMOE = Family(
    "olmoe",
    maker(OlmoeForCausalLM, OlmoeConfig, **EXPERTS),
    mixture_metadata,
    convert=take_experts_apart,
)


def _sigmoid_metadata(config: Any) -> dict[str, Any]:
    experts = {
        "expert_gating_func": 2,
        "expert_group_count": config.n_group,
        "expert_group_used_count": config.topk_group,
        "expert_shared_count": config.n_shared_experts,
        "expert_weights_norm": config.norm_topk_prob,
        "expert_weights_scale": config.routed_scaling_factor,
        "leading_dense_block_count": config.first_k_dense_replace,
    }
    return {**mixture_metadata(config), **experts}


def _glm4_metadata(config: Any) -> dict[str, Any]:
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return {**_sigmoid_metadata(config), "rope.dimension_count": dim // 2}


SIGMOID = {
    "n_routed_experts": 8,
    "num_experts_per_tok": 3,
    "n_shared_experts": 2,
    "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
    "routed_scaling_factor": 1.5,
    "n_group": 4,
    "topk_group": 2,
}
DOTS1 = Family(
    "dots1",
    maker(Dots1ForCausalLM, Dots1Config, **SIGMOID, norm_topk_prob=True),
    _sigmoid_metadata,
    convert=take_experts_apart,
)
GLM4_MOE = Family(
    "glm4moe",
    maker(Glm4MoeForCausalLM, Glm4MoeConfig, **SIGMOID, num_mtp_layers=0),
    _glm4_metadata,
    convert=take_experts_apart,
)


def _minimax_metadata(config: Any) -> dict[str, Any]:
    share = config.rope_parameters.get("partial_rotary_factor", 1)
    more = {
        "expert_feed_forward_length": config.intermediate_size,
        "expert_gating_func": 2,
        "rope.dimension_count": int(config.head_dim * share),
    }
    return {**mixture_metadata(config), **more}


MINIMAX_M2 = Family(
    "minimax-m2",
    maker(
        MiniMaxM2ForCausalLM,
        MiniMaxM2Config,
        num_local_experts=6,
        num_experts_per_tok=2,
        head_dim=32,
        rotary_dim=16,
    ),
    _minimax_metadata,
    convert=take_experts_apart,
)


def _ernie_metadata(config: Any) -> dict[str, Any]:
    more = {
        "expert_shared_count": config.moe_num_shared_experts,
        "interleave_moe_layer_step": config.moe_layer_interval,
        "leading_dense_block_count": config.moe_layer_start_index,
    }
    return {**mixture_metadata(config), **more}


def _granite_metadata(config: Any) -> dict[str, Any]:
    more = {
        "attention.scale": config.attention_multiplier,
        "embedding_scale": config.embedding_multiplier,
        "logit_scale": config.logits_scaling,
        "residual_scale": config.residual_multiplier,
    }
    shared = getattr(config, "shared_intermediate_size", 0)
    own = {"expert_shared_feed_forward_length": shared} if shared else {}
    return {**mixture_metadata(config), **more, **own}


def _hunyuan_metadata(config: Any) -> dict[str, Any]:
    width = config.intermediate_size
    return {**mixture_metadata(config), "expert_shared_feed_forward_length": width}


def _gpt_oss_metadata(config: Any) -> dict[str, Any]:
    rope = config.rope_parameters
    more = {
        "attention.sliding_window": config.sliding_window,
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": rope["factor"],
        "rope.scaling.original_context_length": rope["original_max_position_embeddings"],
        "rope.scaling.yarn_beta_fast": rope["beta_fast"],
        "rope.scaling.yarn_beta_slow": rope["beta_slow"],
    }
    return {**mixture_metadata(config), **more}


GRANITE_FACTORS = {
    "attention_multiplier": 0.2,
    "embedding_multiplier": 1.5,
    "logits_scaling": 0.8,
    "residual_multiplier": 0.7,
}
LOCAL = {"num_local_experts": 6, "num_experts_per_tok": 2}
ERNIE4_5_MOE = Family(
    "ernie4_5-moe",
    maker(
        Ernie4_5_MoeForCausalLM,
        Ernie4_5_MoeConfig,
        moe_num_experts=6,
        moe_k=2,
        moe_intermediate_size=32,
        tie_word_embeddings=False,
    ),
    _ernie_metadata,
    convert=take_experts_apart,
)
GRANITE_MOE = Family(
    "granitemoe",
    maker(GraniteMoeForCausalLM, GraniteMoeConfig, **LOCAL, **GRANITE_FACTORS),
    _granite_metadata,
    interleaved=True,
    convert=take_experts_apart,
)
GRANITE_MOE_SHARED = Family(
    "granitemoe",
    maker(
        GraniteMoeSharedForCausalLM,
        GraniteMoeSharedConfig,
        **LOCAL,
        **GRANITE_FACTORS,
        shared_intermediate_size=64,
    ),
    _granite_metadata,
    interleaved=True,
    convert=take_experts_apart,
)
HUNYUAN_MOE = Family(
    "hunyuan-moe",
    maker(HunYuanMoEV1ForCausalLM, HunYuanMoEV1Config, num_experts=6, moe_topk=2, head_dim=32),
    _hunyuan_metadata,
    convert=take_experts_apart,
)
PHIMOE = Family(
    "phimoe",
    maker(PhimoeForCausalLM, PhimoeConfig, **LOCAL),
    mixture_metadata,
    convert=take_experts_apart,
)
GPT_OSS = Family(
    "gpt-oss",
    maker(
        GptOssForCausalLM,
        GptOssConfig,
        **LOCAL,
        head_dim=32,
        sliding_window=15,
        num_hidden_layers=3,
    ),
    _gpt_oss_metadata,
    transposed=(".experts.gate_up_proj",),
    convert=take_gpt_oss_apart,
)
