"""Tiny models with gated DeltaNets; as folders, and as GGUF files."""

from __future__ import annotations

from typing import Any

import numpy as np
from transformers import (
    Qwen3_5ForCausalLM,
    Qwen3_5MoeForCausalLM,
    Qwen3_5MoeTextConfig,
    Qwen3_5TextConfig,
    Qwen3NextConfig,
    Qwen3NextForCausalLM,
)

from foretell.formats.types import TensorType
from support.family_files import Family, maker
from support.kin_files import IDS, kin_metadata
from support.llama_files import Stored
from support.mixture_files import take_experts_apart

MIXERS = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 32,
}
SIZES = {
    **MIXERS,
    **IDS,
    "head_dim": 32,
    "num_hidden_layers": 3,
    "layer_types": ["linear_attention", "full_attention", "linear_attention"],
}
EXPERTS = {
    "num_experts": 6,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 96,
}
KEPT = ("A_log", "conv1d.weight", "linear_attn.norm.weight")


def rates_of(logs: np.ndarray) -> np.ndarray:
    """What files have in place of logarithms, rounded once."""
    return -np.exp(logs.astype(np.float64)).astype(np.float32)


def convert(config: Any, name: str, values: np.ndarray) -> dict[str, Any]:
    """What files of all have otherwise: rates, no middle dimension, experts apart."""
    if name.endswith("A_log"):
        values = rates_of(values)
    if name.endswith("conv1d.weight"):
        values = values.squeeze(1)
    if name.endswith(KEPT):
        kept = Stored(TensorType.F32, np.ascontiguousarray(values, np.float32))
        return {name: kept}
    return take_experts_apart(config, name.replace("dt_bias", "dt_proj.bias"), values)


def _convert_next(config: Any, name: str, values: np.ndarray) -> dict[str, Any]:
    """Queries, keys and values of all heads in one weight, gates in another."""
    if not name.endswith("in_proj_qkvz.weight"):
        return convert(config, name, values)
    layer, keys = name.partition("in_proj")[0], config.linear_key_head_dim
    heads = values.reshape(config.linear_num_key_heads, -1, values.shape[-1])
    shared = (heads.shape[1] - 2 * keys) // 2
    parts = np.split(heads, [keys, 2 * keys, 2 * keys + shared], axis=1)
    q, k, v, z = (part.reshape(-1, values.shape[-1]) for part in parts)
    return {f"{layer}in_proj_qkv.weight": np.concatenate([q, k, v]), f"{layer}in_proj_z.weight": z}


def in_turns(config: Any, values: np.ndarray, dim: int) -> np.ndarray:
    """The rows of heads of values so that these use the key heads in turns."""
    key_heads = config.linear_num_key_heads
    parts = values.reshape(key_heads, -1, dim, *values.shape[1:])
    return parts.swapaxes(0, 1).reshape(values.shape)


def _convert_in_turns(config: Any, name: str, values: np.ndarray) -> dict[str, Any]:
    """The heads of values in the order in which llama.cpp has them."""
    dim = config.linear_value_head_dim
    if name.endswith(("in_proj_qkv.weight", "conv1d.weight")):
        keys = 2 * config.linear_num_key_heads * config.linear_key_head_dim
        values = np.concatenate([values[:keys], in_turns(config, values[keys:], dim)])
    if name.endswith("in_proj_z.weight"):
        values = in_turns(config, values, dim)
    if name.endswith(("in_proj_a.weight", "in_proj_b.weight", "A_log", "dt_bias")):
        values = in_turns(config, values, 1)
    if name.endswith("linear_attn.out_proj.weight"):
        values = np.ascontiguousarray(in_turns(config, values.T, dim).T)
    return convert(config, name, values)


def _metadata(config: Any) -> dict[str, Any]:
    heads, dim = config.linear_num_value_heads, config.linear_value_head_dim
    return {
        **kin_metadata(config),
        "full_attention_interval": 2,
        "ssm.conv_kernel": config.linear_conv_kernel_dim,
        "ssm.group_count": config.linear_num_key_heads,
        "ssm.inner_size": heads * dim,
        "ssm.state_size": config.linear_key_head_dim,
        "ssm.time_step_rank": heads,
    }


def _mixture_metadata(config: Any) -> dict[str, Any]:
    return {
        **_metadata(config),
        "expert_count": config.num_experts,
        "expert_used_count": config.num_experts_per_tok,
        "expert_feed_forward_length": config.moe_intermediate_size,
        "expert_shared_feed_forward_length": config.shared_expert_intermediate_size,
    }


def _are_as_many(config: Any) -> bool:
    """Whether each head of values has a key head of its own: then files keep their order."""
    return config.linear_num_key_heads == config.linear_num_value_heads


SECTIONS = {"rope.dimension_sections": [2, 1, 1, 0]}
QWEN3_NEXT = Family(
    "qwen3next",
    maker(Qwen3NextForCausalLM, Qwen3NextConfig, **SIZES, **EXPERTS),
    _mixture_metadata,
    plus=1.0,
    convert=_convert_next,
)
QWEN3_5 = Family(
    "qwen35",
    maker(Qwen3_5ForCausalLM, Qwen3_5TextConfig, **SIZES),
    lambda config: _metadata(config) | SECTIONS,
    plus=1.0,
    sums_alike=_are_as_many,
    convert=_convert_in_turns,
)
QWEN3_5_MOE = Family(
    "qwen35moe",
    maker(Qwen3_5MoeForCausalLM, Qwen3_5MoeTextConfig, **SIZES, **EXPERTS),
    lambda config: _mixture_metadata(config) | SECTIONS,
    plus=1.0,
    sums_alike=_are_as_many,
    convert=_convert_in_turns,
)
