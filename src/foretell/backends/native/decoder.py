"""What decoders that are kin to Llama share: their computation, in small steps.

ids → embedding → blocks → norm → logits; a block is norm, attention, residual, norm, gated MLP,
residual. A family in `architectures/` says by its constants and by the steps that it overrides in
what it differs. `decoder_sizes.py` reads its sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder_sizes import (
    FUSED_QKV,
    MLP,
    QKV,
    DecoderSizes,
    Factors,
    hf_names,
)
from foretell.backends.native.plan import Plan, RopeTable, Scores, Value
from foretell.backends.native.rope_scalings import Rope

__all__ = [
    "FUSED_QKV",
    "MLP",
    "QKV",
    "Decoder",
    "Factors",
    "LayerNormDecoder",
    "add_rope",
    "hf_names",
]


def add_rope(plan: Plan, rope: Rope) -> RopeTable:
    """The angles of this rotation, of a batch's positions."""
    return plan.rope_table(rope.frequencies, interleaved=rope.interleaved, factor=rope.factor)


@dataclass(frozen=True)
class Decoder(DecoderSizes):
    """The sizes of one model that is kin to Llama, and its computation."""

    def within(self, context_length: int) -> Self:
        """The model, loaded for sequences of so many positions; the same if they do not matter."""
        rope = self.rope.within(context_length)
        return self if rope is self.rope else replace(self, rope=rope)

    def define(self) -> Plan:
        """The model's computation, from token ids to logits."""
        plan = Plan()
        x = self._embed(plan)
        for layer, rope in enumerate(self._ropes(plan)):
            x = self._block(plan, x, layer, rope)
        self._logits(plan, self._norm(plan, plan.gather_rows(x), "output_norm"))
        return plan

    def _embed(self, plan: Plan) -> Value:
        """What the first layer takes."""
        return plan.embed(
            self.matrices.embedding,
            vocab_size=self.shape.vocab_size,
            width=self.width,
            factor=self.factors.embedding,
        )

    def _logits(self, plan: Plan, h: Value) -> Value:
        """The logits of the normed rows `h`."""
        x = plan.linear(h, self.matrices.output, self.shape.vocab_size)
        return x if self.factors.logits == 1 else plan.scale(x, self.factors.logits)

    def rotates(self, layer: int) -> bool:
        """Whether this layer's queries and keys are rotated."""
        return True

    def _ropes(self, plan: Plan) -> list[RopeTable | None]:
        """What rotates each layer's queries and keys; None: nothing does."""
        table = add_rope(plan, self.rope)
        return [table if self.rotates(layer) else None for layer in range(self.shape.layers)]

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        """One layer: attention, then MLP."""
        name = f"blk.{layer}"
        h = self._norm(plan, x, f"{name}.attn_norm")
        x = self._attention(plan, h, layer, rope, residual=x)
        return self._mlp(plan, x, name)

    def _norm(self, plan: Plan, x: Value, name: str, residual: Value | None = None) -> Value:
        """(residual +) the normed rows."""
        return plan.rms_norm(x, f"{name}.weight", self.eps, residual=residual)

    def _attention(
        self,
        plan: Plan,
        h: Value,
        layer: int,
        rope: RopeTable | None,
        residual: Value | None = None,
    ) -> Value:
        """(residual +) attention of the normed rows `h`."""
        a = self._attend(plan, h, layer, rope)
        return self._add(plan, a, f"blk.{layer}.attn_output", residual)

    def _attend(self, plan: Plan, h: Value, layer: int, rope: RopeTable | None) -> Value:
        """What the heads see, side by side."""
        name = f"blk.{layer}"
        q, k, v = self._queries_keys_values(plan, h, name)
        q, k, rope = self._place(plan, q, k, name, rope)
        heads, scores = self.shape.heads, self._scores(layer)
        return plan.attention(q, k, v, heads, layer=layer, rope=rope, scores=scores)

    def _scores(self, layer: int) -> Scores:
        """How this layer's attention scores positions."""
        return Scores(scale=self.factors.attention, window=self.windows[layer])

    def _queries_keys_values(self, plan: Plan, h: Value, name: str) -> tuple[Value, Value, Value]:
        heads = self.shape.heads
        query, kv = heads.query * heads.dim, heads.kv * heads.dim
        if not self.fuses_qkv:
            return (
                self._linear(plan, h, f"{name}.attn_q", query),
                self._linear(plan, h, f"{name}.attn_k", kv),
                self._linear(plan, h, f"{name}.attn_v", kv),
            )
        return self._parts_of_fused(plan, h, f"{name}.{FUSED_QKV}")

    def _parts_of_fused(self, plan: Plan, h: Value, fused: str) -> tuple[Value, Value, Value]:
        """Queries, keys and values of one weight, which holds them one after the other."""
        heads = self.shape.heads
        query, kv = heads.query * heads.dim, heads.kv * heads.dim
        q, k, v = self._linears(plan, h, fused, (query, kv, kv))
        return q, k, v

    def _place(
        self, plan: Plan, q: Value, k: Value, name: str, rope: RopeTable | None
    ) -> tuple[Value, Value, RopeTable | None]:
        """Queries and keys as attention takes them, and how it has still to rotate them."""
        return *self._norm_heads(plan, q, k, name), rope

    def _norm_heads(self, plan: Plan, q: Value, k: Value, name: str) -> tuple[Value, Value]:
        """Queries and keys, each normed by itself if the family does so."""
        if not self.HAS_HEAD_NORMS:
            return q, k
        heads, eps = self.shape.heads, self.eps
        return (
            plan.rms_norm(q, f"{name}.attn_q_norm.weight", eps, heads=heads.query),
            plan.rms_norm(k, f"{name}.attn_k_norm.weight", eps, heads=heads.kv),
        )

    def _norm_whole(self, plan: Plan, q: Value, k: Value, name: str) -> tuple[Value, Value]:
        """Queries and keys, each normed over all of its heads together."""
        return (
            self._norm(plan, q, f"{name}.attn_q_norm"),
            self._norm(plan, k, f"{name}.attn_k_norm"),
        )

    def _mlp(self, plan: Plan, x: Value, name: str) -> Value:
        """x + the MLP of its normed rows."""
        h = self._norm(plan, x, f"{name}.ffn_norm")
        return self._feed_forward(plan, h, name, residual=x)

    def _feed_forward(
        self, plan: Plan, h: Value, name: str, residual: Value | None = None
    ) -> Value:
        """(residual +) the MLP of the normed rows `h`."""
        gates, values = self._gates_and_values(plan, h, name)
        h = self._activate(plan, gates, values)
        return self._add(plan, h, f"{name}.ffn_down", residual)

    def _gates_and_values(self, plan: Plan, h: Value, name: str) -> tuple[Value, Value]:
        """The MLP's first products, which make its inner rows."""
        if not self.fuses_gate:
            return (
                self._linear(plan, h, f"{name}.ffn_gate", self.hidden),
                self._linear(plan, h, f"{name}.ffn_up", self.hidden),
            )
        gates, values = self._linears(plan, h, f"{name}.ffn_up", (self.hidden, self.hidden))
        return gates, values

    def _activate(self, plan: Plan, gates: Value, values: Value) -> Value:
        """The MLP's inner rows."""
        return plan.silu_mul(gates, values)

    def _add(self, plan: Plan, h: Value, name: str, residual: Value | None) -> Value:
        """(residual +) the last product of attention or MLP."""
        factor = self.factors.residual
        if residual is None or factor == 1:
            return self._linear(plan, h, name, self.width, residual=residual)
        return plan.add(residual, self._linear(plan, h, name, self.width), factor)

    def _linear(
        self,
        plan: Plan,
        h: Value,
        name: str,
        width: int,
        *,
        residual: Value | None = None,
    ) -> Value:
        bias = self._bias_of(name)
        return plan.linear(h, f"{name}.weight", width, bias=bias, residual=residual)

    def _linears(
        self, plan: Plan, h: Value, name: str, widths: Sequence[int], groups: int = 1
    ) -> tuple[Value, ...]:
        """The products of a weight that holds several, in its order."""
        bias = self._bias_of(name)
        return plan.linears(h, f"{name}.weight", widths, bias=bias, groups=groups)

    def _bias_of(self, name: str) -> str | None:
        return f"{name}.bias" if name.rpartition(".")[2] in self.biases else None


@dataclass(frozen=True)
class LayerNormDecoder(Decoder):
    """A decoder whose norms subtract the mean too.

    Attributes:
        NORM_PARTS: what they multiply by, and add.
    """

    CONFIG_EPS: ClassVar[str] = "layer_norm_eps"
    FILE_EPS: ClassVar[str] = "attention.layer_norm_epsilon"
    NORM_PARTS: ClassVar[tuple[str, ...]] = ("weight", "bias")

    def _norm(self, plan: Plan, x: Value, name: str, residual: Value | None = None) -> Value:
        weight, bias = (
            f"{name}.{part}" if part in self.NORM_PARTS else None for part in ("weight", "bias")
        )
        h = plan.layer_norm(x, weight, bias, self.eps)
        return h if residual is None else plan.add(residual, h)

    def _norm_each_head(self, plan: Plan, q: Value, k: Value, name: str) -> tuple[Value, Value]:
        """Each query and key normed by itself, with weights of its head's own."""
        counts = self.shape.heads
        names = (f"{name}.attn_q_norm.weight", f"{name}.attn_k_norm.weight")
        q, k = (
            plan.layer_norm(x, weight, None, self.eps, heads=heads, is_shared=False)
            for x, weight, heads in zip((q, k), names, (counts.query, counts.kv), strict=True)
        )
        return q, k
