"""Phi 1, 1.5 and 2 (Gunasekar et al. 2023, arXiv 2306.11644; Li et al. 2023, 2309.05463).

A part of each head is rotated; attention and MLP see the same normed rows, and are added together;
biases everywhere, in the logits too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import QKV, hf_names
from foretell.backends.native.gpt import GPT, token_names
from foretell.backends.native.plan import Plan, Value
from foretell.formats.checkpoint import Checkpoint


@dataclass(frozen=True)
class Phi(GPT):
    """The sizes of one Phi model, and its computation.

    Attributes:
        norms_heads: whether each query and key is normed.
    """

    ARCHITECTURES: ClassVar = ("phi2",)
    MODEL_TYPES: ClassVar = ("phi",)
    DEFAULTS: ClassVar = {
        "intermediate_size": 8192,
        "layer_norm_eps": 1e-5,
        "partial_rotary_factor": 0.5,
    }
    CONFIG_EPS: ClassVar = "layer_norm_eps"
    HIDDEN_KEY: ClassVar = "intermediate_size"
    KV_HEADS_KEY: ClassVar = "num_key_value_heads"
    BIASES: ClassVar = ("attn_output", "ffn_up", "ffn_down", "output")
    ROTATES: ClassVar = True
    HF_NAMES: ClassVar = {
        **token_names("model.embed_tokens", "model.final_layernorm"),
        **hf_names(
            attn_norm="input_layernorm",
            attn_q="self_attn.q_proj",
            attn_k="self_attn.k_proj",
            attn_v="self_attn.v_proj",
            attn_q_norm="self_attn.q_layernorm",
            attn_k_norm="self_attn.k_layernorm",
            attn_output="self_attn.dense",
            ffn_up="mlp.fc1",
            ffn_down="mlp.fc2",
        ),
    }

    is_parallel: bool = True
    mlp_norm: str = "attn_norm"
    norms_heads: bool = False

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model = super().from_config(checkpoint)
        norms_heads = cls._config_reader(checkpoint).flag("qk_layernorm", False)
        return replace(model, norms_heads=norms_heads, biases=model.biases | {*QKV})

    def _norm_heads(self, plan: Plan, q: Value, k: Value, name: str) -> tuple[Value, Value]:
        if not self.norms_heads:
            return q, k
        heads = self.shape.heads
        return (
            self._norm_each(plan, q, f"{name}.attn_q_norm", heads.query),
            self._norm_each(plan, k, f"{name}.attn_k_norm", heads.kv),
        )

    def _norm_each(self, plan: Plan, x: Value, name: str, heads: int) -> Value:
        return plan.layer_norm(x, f"{name}.weight", f"{name}.bias", self.eps, heads=heads)


FAMILY = Phi
