"""AFM 4.5B (Arcee AI 2025): Llama whose MLP has no gate, and squares what ReLU leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Decoder
from foretell.backends.native.plan import Plan, Value


@dataclass(frozen=True)
class Arcee(Decoder):
    """The sizes of one AFM model, and its computation."""

    ARCHITECTURES: ClassVar = ("arcee",)
    MODEL_TYPES: ClassVar = ("arcee",)
    DEFAULTS: ClassVar = {"rms_norm_eps": 1e-5}
    ACTIVATIONS: ClassVar = ("relu2",)
    IS_INTERLEAVED: ClassVar = True

    def _feed_forward(
        self, plan: Plan, h: Value, name: str, residual: Value | None = None
    ) -> Value:
        h = plan.relu_squared(self._linear(plan, h, f"{name}.ffn_up", self.hidden))
        return self._add(plan, h, f"{name}.ffn_down", residual)


FAMILY = Arcee
