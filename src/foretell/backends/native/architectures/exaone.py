"""EXAONE 3 (LG AI Research 2024, arXiv 2408.03541): Llama, by other names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Decoder, hf_names
from foretell.backends.native.weights.source import HFName

LAYER = "transformer.h.{}"


@dataclass(frozen=True)
class EXAONE(Decoder):
    """The sizes of one EXAONE 3 model, and its computation."""

    ARCHITECTURES: ClassVar = ("exaone",)
    MODEL_TYPES: ClassVar = ("exaone",)
    DEFAULTS: ClassVar = {
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500_000.0,
    }
    CONFIG_NAMES: ClassVar = {
        "num_hidden_layers": "num_layers",
        "rms_norm_eps": "layer_norm_epsilon",
        "hidden_act": "activation_function",
    }
    HF_NAMES: ClassVar = {
        "token_embd.weight": HFName("transformer.wte.weight"),
        **hf_names(
            LAYER,
            attn_norm="ln_1",
            attn_q="attn.attention.q_proj",
            attn_k="attn.attention.k_proj",
            attn_v="attn.attention.v_proj",
            attn_output="attn.attention.out_proj",
            ffn_norm="ln_2",
            ffn_gate="mlp.c_fc_0",
            ffn_up="mlp.c_fc_1",
            ffn_down="mlp.c_proj",
        ),
        "output_norm.weight": HFName("transformer.ln_f.weight"),
        "output.weight": HFName("lm_head.weight"),
    }


FAMILY = EXAONE
