"""nanochat (Karpathy 2025): Llama whose norms have no weights, its MLP no gate.

Embeddings are normed, too; queries and keys once they are rotated, the other way round than others
rotate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import Decoder, hf_names
from foretell.backends.native.plan import Plan, RopeTable, Value
from foretell.formats.checkpoint import Checkpoint


@dataclass(frozen=True)
class NanoChat(Decoder):
    """The sizes of one nanochat model, and its computation.

    Attributes:
        cap: what logits are bent within; 0: they are not.
    """

    MODEL_TYPES: ClassVar = ("nanochat",)
    DEFAULTS: ClassVar = {"final_logit_softcapping": 15.0}
    ACTIVATIONS: ClassVar = ("relu2",)
    HF_NAMES: ClassVar = {**Decoder.HF_NAMES, **hf_names(ffn_up="mlp.fc1", ffn_down="mlp.fc2")}

    cap: float = 0.0

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model, reader = super().from_config(checkpoint), cls._config_reader(checkpoint)
        key = "final_logit_softcapping"
        return replace(
            model,
            rope=replace(model.rope, frequencies=-model.rope.frequencies),
            cap=reader.number(key, 1e-3, 1e6) if key in reader else 0.0,
        )

    def _embed(self, plan: Plan) -> Value:
        return self._norm(plan, super()._embed(plan), "")

    def _norm(self, plan: Plan, x: Value, name: str, residual: Value | None = None) -> Value:
        return plan.rms_norm(x, None, self.eps, residual=residual)

    def _place(
        self, plan: Plan, q: Value, k: Value, name: str, rope: RopeTable | None
    ) -> tuple[Value, Value, RopeTable | None]:
        heads = self.shape.heads
        if rope is not None:
            q, k = plan.rotate(q, rope, heads.query), plan.rotate(k, rope, heads.kv)
        q = plan.rms_norm(q, None, self.eps, heads=heads.query)
        return q, plan.rms_norm(k, None, self.eps, heads=heads.kv), None

    def _feed_forward(
        self, plan: Plan, h: Value, name: str, residual: Value | None = None
    ) -> Value:
        h = plan.relu_squared(self._linear(plan, h, f"{name}.ffn_up", self.hidden))
        return self._add(plan, h, f"{name}.ffn_down", residual)

    def _logits(self, plan: Plan, h: Value) -> Value:
        x = super()._logits(plan, h)
        return plan.softcap(x, self.cap) if self.cap else x


FAMILY = NanoChat
