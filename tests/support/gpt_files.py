"""Tiny GPTs of many families, and Gemmas, made with transformers; see family_files.py.

Files say what llama.cpp's converters write.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    CodeGenConfig,
    CodeGenForCausalLM,
    FalconConfig,
    FalconForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GemmaConfig,
    GemmaForCausalLM,
    GPTBigCodeConfig,
    GPTBigCodeForCausalLM,
    GPTJConfig,
    GPTJForCausalLM,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    MptConfig,
    MptForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    Starcoder2Config,
    Starcoder2ForCausalLM,
)

from support.family_files import Family, maker
from support.llama_files import sizes_of

IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
USUAL = {
    "vocab_size": 160,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
GPT2_LIKE = {"vocab_size": 160, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256}


def _maker(model: Any, config: Any, usual: dict[str, Any]) -> Any:
    return lambda **sizes: model(config(**IDS | usual | sizes))


def _sizes(config: Any, *, hidden: int | None = None, kv: int | None = None) -> dict[str, Any]:
    """The sizes that a file states."""
    eps = (getattr(config, f"{name}", None) for name in EPS_NAMES)
    sizes = {
        "context_length": getattr(config, "max_position_embeddings", 2048),
        "embedding_length": config.hidden_size,
        "feed_forward_length": hidden or 4 * config.hidden_size,
        "block_count": config.num_hidden_layers,
        "attention.head_count": config.num_attention_heads,
        "attention.layer_norm_epsilon": next(one for one in eps if one),
    }
    return sizes if kv is None else {**sizes, "attention.head_count_kv": kv}


EPS_NAMES = ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon")


def ungrouped(values: np.ndarray, query: int, kv: int, groups: int) -> np.ndarray:
    """Rows of queries, keys and values, which lie by groups, one kind after the other.

    Args:
        values: a weight or bias, `(query + 2 * kv, …)`.
        query: rows of queries.
        kv: rows of keys, and of values.
        groups: groups of all three.
    """
    parts = np.split(
        values.reshape(groups, -1, *values.shape[1:]),
        [query // groups, (query + kv) // groups],
        axis=1,
    )
    return np.concatenate([part.reshape(-1, *values.shape[1:]) for part in parts])


def _by_heads(config: Any, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """By the names that llama.cpp's converter looks up, without the first part."""
    if "query_key_value" in name:
        width, heads = config.hidden_size, config.num_attention_heads
        values = ungrouped(values, width, width, heads)
    return {name.removeprefix("transformer."): values}


def _base(config: Any) -> dict[str, float]:
    """The base of frequencies, which these files state if it is not the usual one."""
    base = config.rope_parameters["rope_theta"]
    return {} if base == 10_000 else {"rope.freq_base": base}


def _neox(config: Any) -> dict[str, Any]:
    rope = config.rope_parameters
    dim = config.hidden_size // config.num_attention_heads
    return {
        **_sizes(config, hidden=config.intermediate_size),
        "rope.dimension_count": int(rope["partial_rotary_factor"] * dim),
        "use_parallel_residual": config.use_parallel_residual,
        **_base(config),
    }


GPTNEOX = Family(
    "gptneox",
    _maker(
        GPTNeoXForCausalLM,
        GPTNeoXConfig,
        {**USUAL, "hidden_size": 128, "intermediate_size": 96, "max_position_embeddings": 256},
    ),
    _neox,
    convert=_by_heads,
)

GPTJ = Family(
    "gptj",
    _maker(GPTJForCausalLM, GPTJConfig, {**GPT2_LIKE, "rotary_dim": 8}),
    lambda config: {
        **_sizes(config, hidden=config.n_inner),
        "rope.dimension_count": config.rotary_dim,
    },
)
CODEGEN = Family(
    "", _maker(CodeGenForCausalLM, CodeGenConfig, {**GPT2_LIKE, "rotary_dim": 8}), _sizes
)

BLOOM = Family(
    "bloom",
    _maker(
        BloomForCausalLM,
        BloomConfig,
        {"vocab_size": 160, "hidden_size": 64, "n_layer": 2, "n_head": 4},
    ),
    lambda config: _sizes(config, kv=config.n_head),
    convert=_by_heads,
)


def _mpt(config: Any) -> dict[str, Any]:
    return {
        "context_length": config.max_seq_len,
        "embedding_length": config.d_model,
        "feed_forward_length": 4 * config.d_model,
        "block_count": config.n_layers,
        "attention.head_count": config.n_heads,
        "attention.layer_norm_epsilon": config.layer_norm_epsilon,
        "attention.clamp_kqv": float(config.attn_config.clip_qkv or 0),
        "attention.max_alibi_bias": float(config.attn_config.alibi_bias_max),
    }


MPT = Family(
    "mpt",
    _maker(
        MptForCausalLM,
        MptConfig,
        {"vocab_size": 160, "d_model": 64, "n_layers": 2, "n_heads": 4, "max_seq_len": 256},
    ),
    _mpt,
)


def _phi(config: Any) -> dict[str, Any]:
    share = config.rope_parameters["partial_rotary_factor"]
    heads = config.num_attention_heads
    return {
        **_sizes(config, hidden=config.intermediate_size, kv=config.num_key_value_heads),
        "rope.dimension_count": int(share * config.hidden_size) // heads,
    }


PHI = Family(
    "phi2",
    _maker(
        PhiForCausalLM,
        PhiConfig,
        {**USUAL, "intermediate_size": 96, "max_position_embeddings": 256},
    ),
    _phi,
)

STARCODER2 = Family(
    "starcoder2",
    _maker(
        Starcoder2ForCausalLM,
        Starcoder2Config,
        {
            **USUAL,
            "intermediate_size": 96,
            "num_key_value_heads": 2,
            "max_position_embeddings": 256,
        },
    ),
    lambda config: {
        **_sizes(config, hidden=config.intermediate_size, kv=config.num_key_value_heads),
        "rope.freq_base": config.rope_parameters["rope_theta"],
    },
)
STARCODER = Family(
    "starcoder",
    _maker(GPTBigCodeForCausalLM, GPTBigCodeConfig, GPT2_LIKE),
    lambda config: _sizes(config, hidden=config.n_inner, kv=1),
)


def _falcon_kv_heads(config: Any) -> int:
    return config.num_kv_heads if config.new_decoder_architecture else 1


def _falcon_rows(config: Any, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    if "query_key_value" in name:
        kv, width = _falcon_kv_heads(config), config.hidden_size
        values = ungrouped(values, width, kv * width // config.num_attention_heads, kv)
    return {name: values}


FALCON = Family(
    "falcon",
    _maker(FalconForCausalLM, FalconConfig, {**USUAL, "max_position_embeddings": 256}),
    lambda config: {
        **_sizes(config, hidden=config.ffn_hidden_size, kv=_falcon_kv_heads(config)),
        **_base(config),
    },
    convert=_falcon_rows,
)


def _gemma(config: Any) -> dict[str, Any]:
    values = {**sizes_of(config), **_base(config)}
    if config.model_type == "gemma":
        return values
    return {
        **values,
        "attention.sliding_window": config.sliding_window,
        "attn_logit_softcapping": config.attn_logit_softcapping,
        "final_logit_softcapping": config.final_logit_softcapping,
    }


GEMMA = Family("gemma", maker(GemmaForCausalLM, GemmaConfig, head_dim=32), _gemma, plus=1.0)
GEMMA2 = Family(
    "gemma2",
    maker(
        Gemma2ForCausalLM,
        Gemma2Config,
        head_dim=32,
        query_pre_attn_scalar=32,
        sliding_window=13,
        num_hidden_layers=3,
    ),
    _gemma,
    plus=1.0,
)

OPT = Family(
    "",
    _maker(OPTForCausalLM, OPTConfig, {**USUAL, "ffn_dim": 96, "max_position_embeddings": 256}),
    _sizes,
)
GPTNEO = Family(
    "",
    _maker(
        GPTNeoForCausalLM,
        GPTNeoConfig,
        {
            "vocab_size": 160,
            "hidden_size": 64,
            "num_layers": 3,
            "num_heads": 4,
            "max_position_embeddings": 256,
            "attention_types": [[["global", "local", "local"], 1]],
            "window_size": 13,
        },
    ),
    _sizes,
)
