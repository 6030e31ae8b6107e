"""Mamba 2's mixer (Dao & Gu 2024, arXiv 2405.21060), which hybrids have in some layers.

Steps, B and C come from the token itself, by one product, and B and C are convolved as well; each
head of channels has a single rate; a gated norm, of each group apart, stands at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

from foretell.backends.native.plan import Plan, Value
from foretell.backends.native.weights.source import HFName
from foretell.formats.metadata import MetadataReader

MAX_TAPS = 64
USUAL_NAMES: Mapping[str, str] = MappingProxyType({})


def mixer_names(module: str) -> dict[str, HFName]:
    """What a checkpoint calls a mixer's weights, in this module of a layer."""
    return {
        "blk.{}.ssm_in.weight": HFName(f"{module}.in_proj.weight"),
        "blk.{}.ssm_conv1d.weight": HFName(f"{module}.conv1d.weight"),
        "blk.{}.ssm_conv1d.bias": HFName(f"{module}.conv1d.bias"),
        "blk.{}.ssm_a": HFName(f"{module}.A_log", negated_log=True),
        "blk.{}.ssm_d": HFName(f"{module}.D"),
        "blk.{}.ssm_dt.bias": HFName(f"{module}.dt_bias"),
        "blk.{}.ssm_norm.weight": HFName(f"{module}.norm.weight"),
        "blk.{}.ssm_out.weight": HFName(f"{module}.out_proj.weight"),
    }


@dataclass(frozen=True)
class StateSpace:
    """The sizes of a mixer.

    Attributes:
        inner: channels.
        heads: how many the channels are cut into.
        groups: of heads; each shares a B and a C.
        state_size: components of each channel's state.
        taps: inputs of a convolution.
        has_conv_bias: whether convolutions have biases.
    """

    inner: int
    heads: int
    groups: int
    state_size: int
    taps: int
    has_conv_bias: bool = True

    @classmethod
    def of_gguf(cls, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata; errors are those of a model's `from_gguf`."""
        return cls(
            inner=reader.integer("ssm.inner_size", 16, 2**20),
            heads=reader.integer("ssm.time_step_rank", 1, 2**16),
            groups=reader.integer("ssm.group_count", 1, 2**12),
            state_size=reader.integer("ssm.state_size", 1, 2**12),
            taps=reader.integer("ssm.conv_kernel", 1, MAX_TAPS),
        )._checked(reader)

    @classmethod
    def of_config(
        cls, reader: MetadataReader, width: int, names: Mapping[str, str] = USUAL_NAMES
    ) -> Self:
        """Read the sizes from a config; errors are those of a model's `from_config`.

        Args:
            reader: of the config.
            width: of the rows that the mixer takes.
            names: what the config calls what Mamba 2's calls otherwise.
        """
        key = {usual: usual for usual in CONFIG_KEYS} | {**names}
        if reader.flag(key["use_bias"], False):
            raise reader.unsupported(f"{key['use_bias']}=true")
        _refuse_limits(reader)
        mixer = cls(
            inner=int(reader.number(key["expand"], 0, 2**10, 2) * width),
            heads=reader.integer(key["num_heads"], 1, 2**16),
            groups=reader.integer(key["n_groups"], 1, 2**12),
            state_size=reader.integer(key["state_size"], 1, 2**12),
            taps=reader.integer(key["conv_kernel"], 1, MAX_TAPS, 4),
            has_conv_bias=reader.flag(key["use_conv_bias"], True),
        )
        dim = reader.values.get(key["head_dim"])
        if dim not in (None, "auto"):
            dim = reader.integer(key["head_dim"], 1, 2**16)
            if dim * mixer.heads != mixer.inner:
                raise reader.wrong(f"{mixer.heads} heads of {dim} are not {mixer.inner} channels")
        return mixer._checked(reader)

    def _checked(self, reader: MetadataReader) -> Self:
        """Itself, if its channels can be shared evenly, sixteen at a time."""
        check_channels(reader, self.inner)
        for count, what in ((self.heads, "heads"), (self.groups, "groups")):
            if self.inner % count:
                raise reader.wrong(f"{self.inner} channels cannot be {count} {what}")
            if self.inner // count % 16:
                raise reader.unsupported(
                    f"{self.inner // count} channels for each of {count} {what} (not a multiple "
                    "of 16)"
                )
        if self.heads % self.groups:
            raise reader.wrong(f"{self.heads} heads cannot be {self.groups} groups")
        check_channels(reader, self.num_convolved)
        return self

    @property
    def num_convolved(self) -> int:
        """Channels of a convolution: the mixer's, B and C."""
        return self.inner + 2 * self.groups * self.state_size

    def mix(self, plan: Plan, h: Value, name: str, eps: float) -> Value:
        """What a mixer makes of normed rows, up to its last product, `{name}.ssm_out`."""
        inner, convolved, heads = self.inner, self.num_convolved, self.heads
        gate, u, steps = plan.linears(h, f"{name}.ssm_in.weight", (inner, convolved, heads))
        bias = f"{name}.ssm_conv1d.bias" if self.has_conv_bias else None
        u = plan.causal_conv(u, f"{name}.ssm_conv1d.weight", self.taps, bias=bias)
        y = plan.selective_scan(u, steps, inner, self.state_size, f"{name}.ssm", bc=None)
        y = plan.silu_mul(gate, y)
        return plan.group_norm(y, f"{name}.ssm_norm.weight", eps, self.groups)


CONFIG_KEYS = (
    "conv_kernel",
    "expand",
    "head_dim",
    "n_groups",
    "num_heads",
    "state_size",
    "use_bias",
    "use_conv_bias",
)
"""What the config of a Mamba 2 says of its mixers."""


def check_channels(reader: MetadataReader, channels: int) -> int:
    """The channels, if the kernels take as many: UnsupportedModelError if not."""
    if channels < 16 or channels % 16:
        raise reader.unsupported(f"a state of {channels} channels (not a multiple of 16)")
    return channels


def _refuse_limits(reader: MetadataReader) -> None:
    """UnsupportedModelError if the config bounds the steps, other than to positive numbers."""
    spellings: tuple[Any, ...] = (math.inf, {"__float__": "Infinity"})  # the latter transformers'
    if reader.values.get("time_step_limit") not in (None, *([0, most] for most in spellings)):
        raise reader.unsupported("a time_step_limit other than 0 to infinity")
