"""Tiny models of families with a recurrent state; as folders, and as GGUF files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    FalconMambaConfig,
    FalconMambaForCausalLM,
    GraniteMoeHybridConfig,
    GraniteMoeHybridForCausalLM,
    Lfm2Config,
    Lfm2ForCausalLM,
    Lfm2MoeConfig,
    Lfm2MoeForCausalLM,
    Mamba2Config,
    Mamba2ForCausalLM,
    MambaConfig,
    MambaForCausalLM,
)

from foretell.formats.types import TensorType
from support.delta_families import QWEN3_5, rates_of
from support.family_files import Family, make_family, write_family
from support.llama_files import SIZES, Stored, sizes_of
from support.mixture_files import take_experts_apart

IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
STATE_SIZES = {
    "vocab_size": 160,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "state_size": 16,
    **IDS,
}


def remembering(family: Family, **sizes: Any) -> Any:
    """A model whose states decay slowly, so that what is long past can still be seen."""
    model = make_family(family, **sizes)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("A_log"):
                weight.sub_(3)
    return model


def change_config(folder: Path, changes: dict[str, Any]) -> None:
    """Say something else in a folder's config."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _maker(model: Any, config: Any, **fixed: Any) -> Callable[..., Any]:
    return lambda **sizes: model(config(**fixed | sizes))


def _stored(values: np.ndarray) -> Stored:
    """As llama.cpp keeps them in files of any type."""
    return Stored(TensorType.F32, np.ascontiguousarray(values, np.float32))


KEPT = (
    "A_log",
    ".D",
    "conv1d.weight",
    "conv.conv.weight",
    "mixer.norm.weight",
    "mamba.norm.weight",
)


def _convert(config: Any, name: str, values: np.ndarray) -> dict[str, Any]:
    """Convolutions without their middle dimension; rates as they are, not their logarithms."""
    if name.endswith("shared_mlp.input_linear.weight"):
        gate, up = np.split(values, 2)
        layer = name.partition("shared_mlp")[0]
        return {f"{layer}mlp.gate_proj.weight": gate, f"{layer}mlp.up_proj.weight": up}
    if name.endswith("A_log"):
        values = rates_of(values)
    if name.endswith(("conv1d.weight", "conv.conv.weight")):
        values = values.squeeze(1)
    if config.model_type in ("mamba2", "granitemoehybrid"):
        groups = getattr(config, "n_groups", None) or config.mamba_n_groups
        if name.endswith(("A_log", ".D")):
            values = values[:, None]
        if name.endswith(("mixer.norm.weight", "mamba.norm.weight")):
            values = values.reshape(groups, -1)
    name = name.replace("dt_bias", "dt_proj.bias")
    name = name.replace("shared_mlp.output_linear", "mlp.down_proj")
    return {name: _stored(values) if name.endswith(KEPT) else values}


def _state_metadata(config: Any) -> dict[str, Any]:
    inner = int(config.expand * config.hidden_size)
    values = {
        "context_length": 2**20,
        "embedding_length": config.hidden_size,
        "feed_forward_length": 0,
        "attention.head_count": 0,
        "block_count": config.num_hidden_layers,
        "ssm.conv_kernel": config.conv_kernel,
        "ssm.inner_size": inner,
        "ssm.state_size": config.state_size,
        "attention.layer_norm_rms_epsilon": config.layer_norm_epsilon,
    }
    if config.model_type == "mamba2":
        return {
            **values,
            "ssm.time_step_rank": config.num_heads,
            "ssm.group_count": config.n_groups,
        }
    is_normed = config.model_type == "falcon_mamba"
    return {**values, "ssm.time_step_rank": config.time_step_rank, "ssm.dt_b_c_rms": is_normed}


def _lfm2_metadata(config: Any) -> dict[str, Any]:
    kv_heads = config.num_key_value_heads
    kinds = config.layer_types
    hidden = -(-int(2 * config.intermediate_size / 3) // config.block_multiple_of)
    config.rms_norm_eps = config.norm_eps
    return {
        **sizes_of(config),
        "attention.head_count_kv": [kv_heads * (kind == "full_attention") for kind in kinds],
        "feed_forward_length": hidden * config.block_multiple_of,
        "rope.freq_base": config.rope_parameters["rope_theta"],
        "shortconv.l_cache": config.conv_L_cache,
        "vocab_size": config.vocab_size,
    }


MAMBA = Family(
    "mamba",
    _maker(MambaForCausalLM, MambaConfig, **STATE_SIZES),
    _state_metadata,
    convert=_convert,
)
FALCON_MAMBA = Family(
    "mamba",
    _maker(
        FalconMambaForCausalLM,
        FalconMambaConfig,
        **STATE_SIZES,
        layer_norm_epsilon=1e-6,  # files have one for all norms
        mixer_rms_eps=1e-6,
    ),
    _state_metadata,
    convert=_convert,
)
MAMBA2 = Family(
    "mamba2",
    _maker(Mamba2ForCausalLM, Mamba2Config, **STATE_SIZES, num_heads=4, head_dim=32, n_groups=2),
    _state_metadata,
    convert=_convert,
)
LFM2 = Family(
    "lfm2",
    _maker(
        Lfm2ForCausalLM,
        Lfm2Config,
        **SIZES | {"num_hidden_layers": 4, "intermediate_size": 96, "block_multiple_of": 32},
        full_attn_idxs=[1, 3],
        **IDS,
    ),
    _lfm2_metadata,
    convert=_convert,
)


def _lfm2_moe_metadata(config: Any) -> dict[str, Any]:
    config.block_multiple_of = 1
    return {
        **_lfm2_metadata(config),
        "feed_forward_length": config.intermediate_size,
        "expert_count": config.num_experts,
        "expert_used_count": config.num_experts_per_tok,
        "expert_feed_forward_length": config.moe_intermediate_size,
        "expert_gating_func": 2,
        "expert_weights_scale": config.routed_scaling_factor,
        "leading_dense_block_count": config.num_dense_layers,
    }


def _convert_lfm2_moe(config: Any, name: str, values: np.ndarray) -> dict[str, Any]:
    parts = take_experts_apart(config, name.replace("expert_bias", "expert_bias.bias"), values)
    return {own: one for part in parts for own, one in _convert(config, part, parts[part]).items()}


LFM2_MOE = Family(
    "lfm2moe",
    _maker(
        Lfm2MoeForCausalLM,
        Lfm2MoeConfig,
        **SIZES | {"num_hidden_layers": 4, "intermediate_size": 96},
        layer_types=["conv", "full_attention", "conv", "full_attention"],
        moe_intermediate_size=32,
        num_experts=6,
        num_experts_per_tok=2,
        num_dense_layers=1,
        **IDS,
    ),
    _lfm2_moe_metadata,
    convert=_convert_lfm2_moe,
)


def _granite_metadata(config: Any) -> dict[str, Any]:
    kinds = config.layer_types
    return {
        **sizes_of(config),
        "attention.head_count_kv": [
            config.num_key_value_heads * (kind == "full_attention") for kind in kinds
        ],
        "feed_forward_length": config.shared_intermediate_size,
        "expert_shared_feed_forward_length": config.shared_intermediate_size,
        "embedding_scale": float(config.embedding_multiplier),
        "residual_scale": float(config.residual_multiplier),
        "logit_scale": float(config.logits_scaling),
        "attention.scale": float(config.attention_multiplier),
        "rope.scaling.finetuned": config.position_embedding_type == "rope",
        "ssm.conv_kernel": config.mamba_d_conv,
        "ssm.inner_size": config.mamba_expand * config.hidden_size,
        "ssm.state_size": config.mamba_d_state,
        "ssm.time_step_rank": config.mamba_n_heads,
        "ssm.group_count": config.mamba_n_groups,
    }


GRANITE_HYBRID = Family(
    "granitehybrid",
    _maker(
        GraniteMoeHybridForCausalLM,
        GraniteMoeHybridConfig,
        **SIZES | {"num_hidden_layers": 3},
        layer_types=["linear_attention", "full_attention", "linear_attention"],
        num_local_experts=0,
        shared_intermediate_size=96,
        embedding_multiplier=2.0,
        residual_multiplier=0.6,
        attention_multiplier=0.3,
        logits_scaling=3.0,
        mamba_n_heads=4,
        mamba_d_state=16,
        tie_word_embeddings=True,
        **IDS,
    ),
    _granite_metadata,
    interleaved=True,
    convert=_convert,
)

RECURRENT = {"mamba": MAMBA, "mamba2": MAMBA2, "lfm2": LFM2, "qwen35": QWEN3_5}
"""A family of each kind of state: Mamba's, that of its heads, convolutions beside attention, and
delta rules beside attention."""


def write_recurrent(folder: Path) -> dict[str, Path]:
    """A tiny random model of each, as a file."""
    return {
        name: write_family(folder / f"{name}.gguf", family, remembering(family))
        for name, family in RECURRENT.items()
    }
