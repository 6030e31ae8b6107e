"""Llama (Touvron et al. 2023, arXiv 2302.13971) and its kin, SmolLM2 among them.

norm, attention, residual, norm, gated MLP, residual; the output shares the embedding's matrix
where the file has none of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.models.shape import ModelShape
from foretell.backends.native.plan import Heads, Plan, Value
from foretell.backends.native.weights.gguf import GGUFFile
from foretell.backends.native.weights.metadata import Settings
from foretell.backends.native.weights.source import GGUFWeights


@dataclass(frozen=True)
class Llama:
    """The sizes of one Llama model, and its computation."""

    shape: ModelShape
    width: int
    hidden: int
    eps: float
    frequencies: NDArray[np.float32]
    tied: bool

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

    def define(self) -> Plan:
        """The model's computation, from token ids to logits."""
        plan = Plan()
        x = plan.embed("token_embd.weight", vocab_size=self.shape.vocab_size, width=self.width)
        rotation = plan.rotation(self.frequencies, interleaved=True)
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
