"""Granite 3's mixtures (IBM 2024): Granite with experts, some of them with one that is shared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.architectures.granite import Granite
from foretell.backends.native.mixtures import Mixture, MixtureDecoder, router_names
from foretell.backends.native.plan import Plan, Value
from foretell.backends.native.weights.experts import Stack
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader

BLOCK = "model.layers.{}.block_sparse_moe"
SHARED = "model.layers.{}.shared_mlp"


def _either(one: str, other: str, part: int, parts: int) -> tuple[Stack, ...]:
    return tuple(Stack(f"{BLOCK}.{name}", part, parts) for name in (one, other))


@dataclass(frozen=True)
class GraniteMoe(MixtureDecoder, Granite):
    """The sizes of one Granite mixture, and its computation.

    Attributes:
        fuses_shared: whether the shared expert's gate and values are in one weight.
    """

    ARCHITECTURES: ClassVar = ("granitemoe",)
    MODEL_TYPES: ClassVar = ("granitemoe", "granitemoeshared")
    DEFAULTS: ClassVar = {"num_local_experts": 8, "num_experts_per_tok": 2}
    HF_NAMES: ClassVar = {
        **MixtureDecoder.HF_NAMES,
        **router_names("block_sparse_moe.router.layer", "block_sparse_moe.router"),
        "blk.{}.ffn_gate_exps.weight": HFName(
            "", stacks=_either("input_linear.weight", "experts.gate_up_proj", 0, 2)
        ),
        "blk.{}.ffn_up_exps.weight": HFName(
            "", stacks=_either("input_linear.weight", "experts.gate_up_proj", 1, 2)
        ),
        "blk.{}.ffn_down_exps.weight": HFName(
            "", stacks=_either("output_linear.weight", "experts.down_proj", 0, 1)
        ),
        "blk.{}.ffn_up_shexp.weight": HFName(f"{SHARED}.input_linear.weight"),
        "blk.{}.ffn_down_shexp.weight": HFName(f"{SHARED}.output_linear.weight"),
    }

    fuses_shared: bool = False

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        return replace(super().from_config(checkpoint), fuses_shared=True)

    def _config_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        return replace(mixture, shared=reader.integer("shared_intermediate_size", 0, 2**20, 0))

    def _file_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        width = reader.integer("expert_shared_feed_forward_length", 0, 2**20, 0)
        return replace(mixture, shared=width)

    def _shared_rows(self, plan: Plan, h: Value, name: str, hidden: int) -> tuple[Value, Value]:
        if not self.fuses_shared:
            return super()._shared_rows(plan, h, name, hidden)
        gates, values = plan.linears(h, f"{name}.ffn_up_shexp.weight", (hidden, hidden))
        return gates, values


FAMILY = GraniteMoe
