"""Tiny models of families that are kin to Llama, made with transformers; see family_files.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from transformers import (
    ApertusConfig,
    ApertusForCausalLM,
    ArceeConfig,
    ArceeForCausalLM,
    Cohere2Config,
    Cohere2ForCausalLM,
    CohereConfig,
    CohereForCausalLM,
    CwmConfig,
    CwmForCausalLM,
    Ernie4_5Config,
    Ernie4_5ForCausalLM,
    Exaone4Config,
    Exaone4ForCausalLM,
    ExaoneConfig,
    Glm4Config,
    Glm4ForCausalLM,
    GlmConfig,
    GlmForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    HeliumConfig,
    HeliumForCausalLM,
    HunYuanDenseV1Config,
    HunYuanDenseV1ForCausalLM,
    HyperCLOVAXConfig,
    HyperCLOVAXForCausalLM,
    InternLM3Config,
    LlamaConfig,
    LlamaForCausalLM,
    Ministral3Config,
    Ministral3ForCausalLM,
    MinistralConfig,
    MinistralForCausalLM,
    NanoChatConfig,
    NanoChatForCausalLM,
    NemotronConfig,
    NemotronForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    Olmo3Config,
    Olmo3ForCausalLM,
    OlmoConfig,
    OlmoForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    SeedOssConfig,
    SeedOssForCausalLM,
    SmolLM3Config,
    SmolLM3ForCausalLM,
    StableLmConfig,
    StableLmForCausalLM,
    VaultGemmaConfig,
    VaultGemmaForCausalLM,
)

from support.family_files import Family, maker

IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def kin_metadata(config: Any) -> dict[str, Any]:
    """What a file of such a model says of its sizes, rotations and windows."""
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rope = config.rope_parameters
    rope = rope.get("full_attention", rope)
    hidden = getattr(config, "intermediate_size", None)  # none where all layers are mixtures
    return {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        **({"feed_forward_length": hidden} if hidden else {}),
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.key_length": dim,
        "attention.value_length": dim,
        **_epsilon(config),
        "rope.freq_base": rope["rope_theta"],
        "rope.dimension_count": int(dim * rope.get("partial_rotary_factor", 1.0)),
        **_scaling(config, rope),
        **_windows(config),
    }


def _epsilon(config: Any) -> dict[str, float]:
    if hasattr(config, "rms_norm_eps"):
        return {"attention.layer_norm_rms_epsilon": config.rms_norm_eps}
    found = (getattr(config, name, None) for name in ("layer_norm_eps", "norm_eps"))
    return {"attention.layer_norm_epsilon": next((one for one in found if one), 1e-5)}


def _scaling(config: Any, rope: dict[str, Any]) -> dict[str, Any]:
    kind = rope["rope_type"]
    if kind == "linear":
        return {"rope.scaling.type": "linear", "rope.scaling.factor": rope["factor"]}
    original = rope.get("original_max_position_embeddings")
    if kind == "yarn":
        return {
            "rope.scaling.type": "yarn",
            "rope.scaling.factor": rope["factor"],
            "rope.scaling.original_context_length": original,
        }
    if kind == "longrope":
        scale = np.log(config.max_position_embeddings / original) / np.log(original)
        return {
            "rope.scaling.original_context_length": original,
            "rope.scaling.attn_factor": float(np.sqrt(1 + scale)),
        }
    return {}


def _windows(config: Any) -> dict[str, Any]:
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if window is None or (kinds and "sliding_attention" not in kinds):
        return {}
    pattern = [kind == "sliding_attention" for kind in kinds or ()]
    return {
        "attention.sliding_window": window,
        **({"attention.sliding_window_pattern": pattern} if pattern else {}),
    }


def divisors(model: Any) -> dict[str, np.ndarray]:
    """What llama.cpp divides frequencies by: llama3's scaling, LongRoPE's factors."""
    rope = model.config.rope_parameters
    if rope.get("rope_type") == "llama3":
        own = model.model.rotary_emb.inv_freq.numpy()
        plain = rope["rope_theta"] ** (-np.arange(len(own), dtype=np.float64) / len(own))
        return {"rope_freqs.weight": (plain / own).astype(np.float32)}
    if rope.get("rope_type") == "longrope":
        return {
            f"rope_factors_{name}.weight": np.array(rope[f"{name}_factor"], np.float32)
            for name in ("short", "long")
        }
    return {}


def kin(
    architecture: str, model: Any, config: Any, *, metadata: Any = None, **fixed: Any
) -> Family:
    """A family whose files say what Llama's say, and `metadata` of a config."""
    names = ("plus", "interleaved", "convert", "beyond")
    flags = {name: fixed.pop(name) for name in names if name in fixed}
    more = metadata or (lambda config: {})
    return Family(
        architecture,
        maker(model, config, **IDS | fixed),
        lambda config: kin_metadata(config) | more(config),
        tensors=divisors,
        **flags,
    )


def _factors(config: Any) -> dict[str, float]:
    return {
        "attention.scale": config.attention_multiplier,
        "embedding_scale": config.embedding_multiplier,
        "residual_scale": config.residual_multiplier,
        "logit_scale": config.logits_scaling,
    }


def _logit_scale(config: Any) -> dict[str, float]:
    return {"logit_scale": config.logit_scale}


def _without_units(_: Any, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    return {} if ".act_fn." in name else {name: values}


def _units(model: Any) -> dict[str, list[float]]:
    acts = [layer.mlp.act_fn for layer in model.model.layers]
    names = ("alpha_p", "alpha_n", "beta", "eps")
    return {f"xielu.{name}": [getattr(act, name).item() for act in acts] for name in names}


APERTUS = kin("apertus", ApertusForCausalLM, ApertusConfig, convert=_without_units, beyond=_units)
LLAMA = kin("llama", LlamaForCausalLM, LlamaConfig, interleaved=True)
INTERNLM3 = kin("", LlamaForCausalLM, InternLM3Config, head_dim=32)
XVERSE = kin("xverse", LlamaForCausalLM, LlamaConfig, interleaved=True)
BAICHUAN = kin("baichuan", LlamaForCausalLM, LlamaConfig, interleaved=True)
INTERNLM2 = kin("internlm2", LlamaForCausalLM, LlamaConfig, interleaved=True)
ORION = kin("orion", StableLmForCausalLM, StableLmConfig, partial_rotary_factor=1.0)
EXAONE = kin("exaone", LlamaForCausalLM, ExaoneConfig)
PHI3 = kin("phi3", Phi3ForCausalLM, Phi3Config, sliding_window=13)
STABLELM = kin(
    "stablelm",
    StableLmForCausalLM,
    StableLmConfig,
    num_attention_heads=2,
    num_key_value_heads=1,
    metadata=lambda config: {"use_parallel_residual": True},
)
OLMO = kin(
    "olmo",
    OlmoForCausalLM,
    OlmoConfig,
    metadata=lambda config: {"attention.clamp_kqv": config.clip_qkv} if config.clip_qkv else {},
    interleaved=True,
)
OLMO2 = kin("olmo2", Olmo2ForCausalLM, Olmo2Config)
OLMO3 = kin("olmo2", Olmo3ForCausalLM, Olmo3Config, num_hidden_layers=5, sliding_window=13)
GRANITE = kin(
    "granite",
    GraniteForCausalLM,
    GraniteConfig,
    metadata=_factors,
    interleaved=True,
    attention_multiplier=0.2,
    embedding_multiplier=3.0,
    residual_multiplier=0.4,
    logits_scaling=2.5,
)
MINICPM = kin(
    "minicpm",
    GraniteForCausalLM,
    GraniteConfig,
    metadata=lambda config: {k: v for k, v in _factors(config).items() if k != "attention.scale"},
    interleaved=True,
    attention_multiplier=0.25,
    embedding_multiplier=12.0,
    residual_multiplier=1.4 / 2**0.5,
    logits_scaling=0.25,
)
SMOLLM3 = kin(
    "smollm3",
    SmolLM3ForCausalLM,
    SmolLM3Config,
    interleaved=True,
    num_hidden_layers=5,
    tie_word_embeddings=False,
)
COHERE = kin("command-r", CohereForCausalLM, CohereConfig, metadata=_logit_scale, logit_scale=0.75)
COHERE2 = kin(
    "cohere2",
    Cohere2ForCausalLM,
    Cohere2Config,
    metadata=_logit_scale,
    logit_scale=0.75,
    num_hidden_layers=5,
    sliding_window=13,
)
GLM = kin("chatglm", GlmForCausalLM, GlmConfig, head_dim=32)
GLM4 = kin("glm4", Glm4ForCausalLM, Glm4Config, head_dim=32)
EXAONE4 = kin("exaone4", Exaone4ForCausalLM, Exaone4Config, num_hidden_layers=5, sliding_window=13)
NEMOTRON = kin("nemotron", NemotronForCausalLM, NemotronConfig, head_dim=32, plus=1.0)
SEED_OSS = kin("seed_oss", SeedOssForCausalLM, SeedOssConfig, head_dim=32)
ARCEE = kin("arcee", ArceeForCausalLM, ArceeConfig, interleaved=True)
ERNIE4_5 = kin("ernie4_5", Ernie4_5ForCausalLM, Ernie4_5Config, head_dim=32)
HELIUM = kin("", HeliumForCausalLM, HeliumConfig, head_dim=16)
HYPERCLOVAX = kin(
    "",
    HyperCLOVAXForCausalLM,
    HyperCLOVAXConfig,
    embedding_multiplier=3.0,
    residual_multiplier=0.4,
    logits_scaling=0.7,
)
CWM = kin("", CwmForCausalLM, CwmConfig, head_dim=32, num_hidden_layers=5, sliding_window=13)
MINISTRAL = kin(
    "", MinistralForCausalLM, MinistralConfig, head_dim=32, num_hidden_layers=3, sliding_window=13
)
MINISTRAL3 = kin(
    "mistral3",
    Ministral3ForCausalLM,
    Ministral3Config,
    head_dim=32,
    interleaved=True,
    metadata=lambda config: {
        "rope.scaling.yarn_log_multiplier": config.rope_parameters["mscale_all_dim"],
        "attention.temperature_scale": config.rope_parameters["llama_4_scaling_beta"],
    },
    rope_parameters={
        "rope_type": "yarn",
        "rope_theta": 10_000.0,
        "factor": 4.0,
        "original_max_position_embeddings": 64,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "llama_4_scaling_beta": 0.1,
    },
)
NANOCHAT = kin("", NanoChatForCausalLM, NanoChatConfig)
VAULTGEMMA = kin(
    "",
    VaultGemmaForCausalLM,
    VaultGemmaConfig,
    head_dim=32,
    query_pre_attn_scalar=32,
    num_hidden_layers=3,
    sliding_window=13,
    plus=1.0,
)
PANGU = kin("pangu-embedded", LlamaForCausalLM, LlamaConfig)
HUNYUAN = kin("hunyuan-dense", HunYuanDenseV1ForCausalLM, HunYuanDenseV1Config, head_dim=32)
