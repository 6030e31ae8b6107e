"""Apertus (Swiss AI 2025, arXiv 2509.14233): Llama with xIELU in place of a gated unit.

Each query and key is normed. Every layer has learned constants of its activation, which GGUF files
keep in their metadata.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from foretell.backends.native.decoder import Decoder, hf_names
from foretell.backends.native.plan import XIELU, Plan, Value
from foretell.backends.native.weights.decode import softplus
from foretell.backends.native.weights.source import HFName
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

CONSTANTS = ("alpha_p", "alpha_n", "beta", "eps")


@dataclass(frozen=True)
class Apertus(Decoder):
    """The sizes of one Apertus model, and its computation.

    Attributes:
        units: the constants of each layer's activation; None: they are weights.
    """

    ARCHITECTURES: ClassVar = ("apertus",)
    MODEL_TYPES: ClassVar = ("apertus",)
    DEFAULTS: ClassVar = {
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 65_536,
        "rope_theta": 12_000_000.0,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 12_000_000.0,
            "factor": 8.0,
            "original_max_position_embeddings": 8192,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
        },
    }
    ACTIVATIONS: ClassVar = ("xielu",)
    HAS_HEAD_NORMS: ClassVar = True
    HF_NAMES: ClassVar = {
        **Decoder.HF_NAMES,
        **hf_names(attn_norm="attention_layernorm", ffn_norm="feedforward_layernorm"),
        **{
            f"blk.{{}}.ffn_act.{name}": HFName(
                f"model.layers.{{}}.mlp.act_fn.{name}", softplus=name.startswith("alpha")
            )
            for name in CONSTANTS
        },
    }

    units: tuple[XIELU, ...] | None = None

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        layers = model.shape.layers
        kept = [_by_layers(reader.beyond, f"xielu.{name}", layers) for name in CONSTANTS]
        p, n, b, e = (np.array(values, np.float32) for values in kept)
        return replace(model, units=tuple(np.stack([softplus(p), softplus(n), b, e], axis=1)))

    def _feed_forward(
        self, plan: Plan, h: Value, name: str, residual: Value | None = None
    ) -> Value:
        up = self._linear(plan, h, f"{name}.ffn_up", self.hidden)
        return self._add(plan, plan.xielu(up, self._unit(name)), f"{name}.ffn_down", residual)

    def _unit(self, name: str) -> XIELU:
        if self.units is not None:
            return self.units[int(name.removeprefix("blk."))]
        p, n, b, e = (f"{name}.ffn_act.{constant}" for constant in CONSTANTS)
        return p, n, b, e


def _by_layers(reader: MetadataReader, key: str, layers: int) -> list[float]:
    """A number of each layer, of which a file may state one for all."""
    if not reader.is_list(key):
        return [reader.number(key, -1e3, 1e3)] * layers
    values = reader.numbers(key)
    if len(values) != layers:
        raise reader.wrong(f"{key} is of {len(values)} layers: must be of {layers}")
    return values


FAMILY = Apertus
