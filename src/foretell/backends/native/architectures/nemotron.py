"""Nemotron-4, Minitron (Parmar et al. 2024, arXiv 2402.16819): layer norms, half a head rotated.

Checkpoints keep the norms' weights less 1. The MLP has no gate, and squares what ReLU leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from foretell.backends.native.decoder import LayerNormDecoder
from foretell.backends.native.plan import Plan, Value


@dataclass(frozen=True)
class Nemotron(LayerNormDecoder):
    """The sizes of one Nemotron model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("nemotron",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("nemotron",)
    DEFAULTS: ClassVar = {"norm_eps": 1e-5, "partial_rotary_factor": 0.5}
    CONFIG_EPS: ClassVar = "norm_eps"
    ACTIVATIONS: ClassVar = ("relu2",)
    HF_NAMES: ClassVar = {
        name: replace(stored, plus=1.0) if name.endswith("norm.weight") else stored
        for name, stored in LayerNormDecoder.HF_NAMES.items()
    }

    def _feed_forward(
        self, plan: Plan, h: Value, name: str, residual: Value | None = None
    ) -> Value:
        h = plan.relu_squared(self._linear(plan, h, f"{name}.ffn_up", self.hidden))
        return self._add(plan, h, f"{name}.ffn_down", residual)


FAMILY = Nemotron
