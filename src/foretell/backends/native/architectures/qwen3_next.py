"""Qwen3-Next (Qwen Team 2025): gated DeltaNet in three of four layers, and experts.

Every fourth layer has gated attention, a quarter of each head rotated; one expert is shared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.architectures.qwen2_moe import Qwen2Moe
from foretell.backends.native.delta_nets import NAMES, DeltaNet, DeltaNetDecoder, mixer_names
from foretell.backends.native.plan import Plan, Value
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Qwen3Next(DeltaNetDecoder, Qwen2Moe):
    """The sizes of one Qwen3-Next model, and its computation.

    Attributes:
        fuses_inputs: whether queries, keys, values and gates are one weight, by key heads: in
            folders and the first files.
    """

    ARCHITECTURES: ClassVar = ("qwen3next",)
    MODEL_TYPES: ClassVar = ("qwen3_next",)
    DEFAULTS: ClassVar = {
        **DeltaNetDecoder.DEFAULTS,
        "moe_intermediate_size": 512,
        "num_experts": 512,
        "num_experts_per_tok": 10,
        "num_key_value_heads": 2,
        "shared_expert_intermediate_size": 512,
    }
    HAS_BIASES: ClassVar = False
    NORMALIZES: ClassVar = True
    HF_NAMES: ClassVar = {
        **Qwen2Moe.HF_NAMES,
        **NAMES,
        **mixer_names(ssm_in="in_proj_qkvz", ssm_ba="in_proj_ba"),
    }

    fuses_inputs: bool = False

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        fuses_inputs = "blk.0.ssm_in.weight" in file.tensors
        return replace(super().from_gguf(file, reader), fuses_inputs=fuses_inputs)

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        return replace(super().from_config(checkpoint), fuses_inputs=True)

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        return super(Qwen2Moe, cls)._config_biases(reader)

    def _inputs_and_gates(
        self, plan: Plan, h: Value, name: str, mixer: DeltaNet
    ) -> tuple[Value, Value]:
        if not self.fuses_inputs:
            return super()._inputs_and_gates(plan, h, name, mixer)
        widths = (mixer.num_convolved, mixer.channels)
        x, gates = self._linears(plan, h, f"{name}.ssm_in", widths, groups=mixer.key_heads)
        return plan.permute(x, _by_kind(mixer)), gates

    def _strengths_and_steps(
        self, plan: Plan, h: Value, part: str, mixer: DeltaNet
    ) -> tuple[Value, Value]:
        widths = (mixer.heads, mixer.heads)
        strengths, steps = self._linears(plan, h, f"{part}_ba", widths, groups=mixer.key_heads)
        return strengths, steps


def _by_kind(mixer: DeltaNet) -> NDArray[np.float32]:
    """Where queries, keys and values lie, all of each, in rows that have them by key heads."""
    sizes = (mixer.size, mixer.size, mixer.channels // mixer.key_heads)
    places = np.arange(mixer.num_convolved, dtype=np.float32).reshape(mixer.key_heads, -1)
    kinds = np.split(places, [*accumulate(sizes)][:-1], axis=1)
    return np.concatenate([kind.reshape(-1) for kind in kinds])


FAMILY = Qwen3Next
