"""Llama (Touvron et al. 2023, arXiv 2302.13971) and its kin, SmolLM2 among them.

norm, attention, residual, norm, gated MLP, residual; the output shares the embedding's matrix
where the file has none of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.models.rope import config_frequencies
from foretell.backends.native.models.shape import ModelShape
from foretell.backends.native.plan import Heads, Plan, Value
from foretell.backends.native.weights.checkpoint import Checkpoint
from foretell.backends.native.weights.gguf import GGUFFile
from foretell.backends.native.weights.metadata import Settings
from foretell.backends.native.weights.source import GGUFWeights, HFName


@dataclass(frozen=True)
class Llama:
    """The sizes of one Llama model, and its computation.

    `interleaved` tells which values of a head are rotated together: GGUF files keep the rows of
    queries and keys in another order than checkpoints.
    """

    HF_NAMES: ClassVar[dict[str, HFName]] = {
        "token_embd.weight": HFName("model.embed_tokens.weight"),
        "blk.{}.attn_norm.weight": HFName("model.layers.{}.input_layernorm.weight"),
        "blk.{}.attn_q.weight": HFName("model.layers.{}.self_attn.q_proj.weight"),
        "blk.{}.attn_k.weight": HFName("model.layers.{}.self_attn.k_proj.weight"),
        "blk.{}.attn_v.weight": HFName("model.layers.{}.self_attn.v_proj.weight"),
        "blk.{}.attn_output.weight": HFName("model.layers.{}.self_attn.o_proj.weight"),
        "blk.{}.ffn_norm.weight": HFName("model.layers.{}.post_attention_layernorm.weight"),
        "blk.{}.ffn_gate.weight": HFName("model.layers.{}.mlp.gate_proj.weight"),
        "blk.{}.ffn_up.weight": HFName("model.layers.{}.mlp.up_proj.weight"),
        "blk.{}.ffn_down.weight": HFName("model.layers.{}.mlp.down_proj.weight"),
        "output_norm.weight": HFName("model.norm.weight"),
        "output.weight": HFName("lm_head.weight"),
    }

    shape: ModelShape
    width: int
    hidden: int
    eps: float
    frequencies: NDArray[np.float32]
    tied: bool
    interleaved: bool = True

    @staticmethod
    def from_gguf(file: GGUFFile) -> Llama:
        """Read the sizes from the metadata; raises ModelFileError where they make no sense."""
        settings = Settings(file.metadata, "llama", str(file.path))
        if "expert_count" in settings and settings.integer("expert_count", 0, 2**16) > 0:
            raise settings.unsupported("a mixture of experts")
        width = settings.integer("embedding_length", 16, 2**16)
        query_heads = settings.integer("attention.head_count", 1, 2**12)
        kv_heads = settings.integer("attention.head_count_kv", 1, query_heads, query_heads)
        if query_heads % kv_heads:
            raise settings.wrong(f"{query_heads} query heads cannot share {kv_heads} kv heads")
        dim = width // query_heads
        if "attention.key_length" in settings:
            dim = settings.integer("attention.key_length", 16, 1024)
        if settings.integer("attention.value_length", 1, 2**16, dim) != dim:
            raise settings.unsupported("a value head longer or shorter than a key head")
        if dim % 16 or not 16 <= dim <= 1024:
            raise settings.unsupported(f"a head of {dim} values (not a multiple of 16 up to 1024)")
        return Llama(
            shape=ModelShape(
                layers=settings.integer("block_count", 1, 1024),
                heads=Heads(query_heads, kv_heads, dim),
                vocab_size=GGUFWeights(file).rows("token_embd.weight"),
                context_length=settings.integer("context_length", 1, 2**24),
            ),
            width=width,
            hidden=settings.integer("feed_forward_length", 1, 2**20),
            eps=settings.number("attention.layer_norm_rms_epsilon", 0, 1),
            frequencies=rotary_frequencies(file, settings, dim),
            tied="output.weight" not in file.tensors,
        )

    @staticmethod
    def from_config(checkpoint: Checkpoint) -> Llama:
        """Read the sizes from `config.json`; raises ModelFileError where they make no sense."""
        settings = Settings.of_config(checkpoint.config, f"{checkpoint.path}/config.json")
        for name in ("attention_bias", "mlp_bias"):
            if settings.flag(name, False):
                raise settings.unsupported(f"{name}=true")
        if settings.text("hidden_act", "silu") != "silu":
            raise settings.unsupported("an activation other than silu")
        width = settings.integer("hidden_size", 16, 2**16)
        query_heads = settings.integer("num_attention_heads", 1, 2**12)
        kv_heads = settings.integer("num_key_value_heads", 1, query_heads, query_heads)
        dim = settings.integer("head_dim", 1, 2**16, width // query_heads)
        if query_heads % kv_heads:
            raise settings.wrong(f"{query_heads} query heads cannot share {kv_heads} kv heads")
        if dim % 16 or not 16 <= dim <= 1024:
            raise settings.unsupported(f"a head of {dim} values (not a multiple of 16 up to 1024)")
        return Llama(
            shape=ModelShape(
                layers=settings.integer("num_hidden_layers", 1, 1024),
                heads=Heads(query_heads, kv_heads, dim),
                vocab_size=settings.integer("vocab_size", 1, 2**24),
                context_length=settings.integer("max_position_embeddings", 1, 2**24),
            ),
            width=width,
            hidden=settings.integer("intermediate_size", 1, 2**20),
            eps=settings.number("rms_norm_eps", 0, 1, 1e-6),
            frequencies=config_frequencies(settings, dim),
            tied=settings.flag("tie_word_embeddings", False),
            interleaved=False,
        )

    def define(self) -> Plan:
        """The model's computation, from token ids to logits."""
        plan = Plan()
        x = plan.embed("token_embd.weight", vocab_size=self.shape.vocab_size, width=self.width)
        rotation = plan.rotation(self.frequencies, interleaved=self.interleaved)
        heads = self.shape.heads
        for layer in range(self.shape.layers):
            name = f"blk.{layer}"
            h = plan.rms_norm(x, f"{name}.attn_norm.weight", self.eps)
            q = plan.linear(h, f"{name}.attn_q.weight", heads.query * heads.dim)
            k = plan.linear(h, f"{name}.attn_k.weight", heads.kv * heads.dim)
            v = plan.linear(h, f"{name}.attn_v.weight", heads.kv * heads.dim)
            a = plan.attention(q, k, v, heads, layer=layer, rotation=rotation)
            x = plan.linear(a, f"{name}.attn_output.weight", self.width, residual=x)
            x = self._mlp(plan, x, name)
        x = plan.rms_norm(plan.wanted_rows(x), "output_norm.weight", self.eps)
        head = "token_embd.weight" if self.tied else "output.weight"
        plan.linear(x, head, self.shape.vocab_size)
        return plan

    def _mlp(self, plan: Plan, x: Value, name: str) -> Value:
        h = plan.rms_norm(x, f"{name}.ffn_norm.weight", self.eps)
        gate = plan.linear(h, f"{name}.ffn_gate.weight", self.hidden)
        up = plan.linear(h, f"{name}.ffn_up.weight", self.hidden)
        h = plan.silu_mul(gate, up)
        return plan.linear(h, f"{name}.ffn_down.weight", self.width, residual=x)


def rotary_frequencies(file: GGUFFile, settings: Settings, dim: int) -> NDArray[np.float32]:
    """Frequencies of the rotated pairs, base^(-2i / dimensions), with the file's scaling.

    float32 throughout, as transformers computes them.
    """
    rotated = settings.integer("rope.dimension_count", 2, dim, dim)
    if rotated % 2:
        raise settings.wrong(f"rope.dimension_count is {rotated}: must be even")
    base = settings.number("rope.freq_base", 1, 1e12, 10000.0)
    exponents = np.arange(0, rotated, 2, dtype=np.float32) / np.float32(rotated)
    frequencies = np.float32(1.0) / np.float32(base) ** exponents
    scaling = settings.text("rope.scaling.type", "none")
    if scaling == "linear":
        frequencies /= np.float32(settings.number("rope.scaling.factor", 1e-3, 1e6))
    elif scaling != "none":
        raise settings.unsupported(f"rope scaling {scaling!r}")
    if "rope_freqs.weight" in file.tensors:
        frequencies /= GGUFWeights(file).vector("rope_freqs.weight", len(frequencies))
    return np.asarray(frequencies, np.float32)
