"""Gated DeltaNet (Yang et al. 2024, arXiv 2412.06464) among layers of gated attention.

A layer without attention keeps a matrix for each head, which a token corrects where it recalls
another value for its key. Layers with attention let a gate say how much of each value counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from foretell.backends.native.architectures.gemma import above_one
from foretell.backends.native.decoder import Decoder
from foretell.backends.native.hybrid import HybridDecoder
from foretell.backends.native.plan import Plan, RopeTable, Value
from foretell.backends.native.state_spaces import MAX_TAPS, check_channels
from foretell.backends.native.weights.source import HFName, Part
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

NAMES = above_one(
    {
        **Decoder.HF_NAMES,
        "blk.{}.post_attention_norm.weight": Decoder.HF_NAMES["blk.{}.ffn_norm.weight"],
    }
)
"""What a checkpoint calls the weights of attention and MLP."""

INTERVAL = 4  # every fourth layer has attention
MAX_SIZE = 2**12


def mixer_names(**modules: str) -> dict[str, HFName]:
    """What a checkpoint calls a mixer's weights: those that all have, and these products."""
    module = "model.layers.{}.linear_attn"
    return {
        **{
            f"blk.{{}}.{part}.weight": HFName(f"{module}.{name}.weight")
            for part, name in {**modules, "ssm_conv1d": "conv1d", "ssm_norm": "norm"}.items()
        },
        "blk.{}.ssm_a": HFName(f"{module}.A_log", negated_log=True),
        "blk.{}.ssm_dt.bias": HFName(f"{module}.dt_bias"),
        "blk.{}.ssm_out.weight": HFName(f"{module}.out_proj.weight"),
    }


@dataclass(frozen=True)
class DeltaNet:
    """The sizes of a mixer.

    Attributes:
        heads: of values.
        key_heads: of queries and keys, each of which serves as many heads of values.
        dim: how many values a head has.
        size: of a query, and of a key.
        taps: inputs of a convolution.
    """

    heads: int
    key_heads: int
    dim: int
    size: int
    taps: int

    @classmethod
    def of_gguf(cls, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata; errors are those of a model's `from_gguf`."""
        heads = reader.integer("ssm.time_step_rank", 1, 2**16)
        channels = reader.integer("ssm.inner_size", 16, 2**20)
        if channels % heads:
            raise reader.wrong(f"{channels} channels cannot be {heads} heads")
        return cls(
            heads=heads,
            key_heads=reader.integer("ssm.group_count", 1, 2**16),
            dim=channels // heads,
            size=reader.integer("ssm.state_size", 1, MAX_SIZE),
            taps=reader.integer("ssm.conv_kernel", 1, MAX_TAPS),
        )._checked(reader)

    @classmethod
    def of_config(cls, reader: MetadataReader) -> Self:
        """Read the sizes from a config; errors are those of a model's `from_config`."""
        return cls(
            heads=reader.integer("linear_num_value_heads", 1, 2**16, 32),
            key_heads=reader.integer("linear_num_key_heads", 1, 2**16, 16),
            dim=reader.integer("linear_value_head_dim", 1, MAX_SIZE, 128),
            size=reader.integer("linear_key_head_dim", 1, MAX_SIZE, 128),
            taps=reader.integer("linear_conv_kernel_dim", 1, MAX_TAPS, 4),
        )._checked(reader)

    def _checked(self, reader: MetadataReader) -> Self:
        """Itself, if its heads can be shared evenly, and their values sixteen at a time."""
        if self.heads % self.key_heads:
            raise reader.wrong(f"{self.heads} heads cannot share {self.key_heads} key heads")
        if self.dim % 16:
            raise reader.unsupported(f"a state of {self.dim} values a head (not a multiple of 16)")
        check_channels(reader, self.num_convolved)
        return self

    @property
    def channels(self) -> int:
        """The values of all heads."""
        return self.heads * self.dim

    @property
    def num_convolved(self) -> int:
        """Channels of a convolution: queries, keys and values."""
        return 2 * self.key_heads * self.size + self.channels


@dataclass(frozen=True)
class DeltaNetDecoder(HybridDecoder):
    """The sizes of a model of both kinds of layers, and its computation.

    Attributes:
        mixer: of the layers without attention; None if there are none.
        takes_turns: whether heads of values use the key heads in turns, as in GGUF files whose
            rows were brought into that order; else neighbours share one.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {"head_dim": 256, "partial_rotary_factor": 0.25}
    LAYER_KINDS: ClassVar[Mapping[str, bool]] = {"full_attention": True, "linear_attention": False}
    HAS_HEAD_NORMS: ClassVar[bool] = True
    HF_NAMES: ClassVar[dict[str, HFName]] = {
        **NAMES,
        **mixer_names(
            attn_qkv="in_proj_qkv",
            attn_gate="in_proj_z",
            ssm_beta="in_proj_b",
            ssm_alpha="in_proj_a",
        ),
    }

    mixer: DeltaNet | None = None
    takes_turns: bool = False

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = replace(super().from_gguf(file, reader), fuses_qkv=False)
        interval = reader.integer("full_attention_interval", 1, 1024, INTERVAL)
        kinds = tuple((layer + 1) % interval == 0 for layer in range(model.shape.layers))
        mixer = None if all(kinds) else DeltaNet.of_gguf(reader)
        return replace(model, attends=kinds, mixer=mixer)

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model = replace(super().from_config(checkpoint), fuses_qkv=False)
        if all(model.attends):
            return model
        return replace(model, mixer=DeltaNet.of_config(cls._config_reader(checkpoint)))

    @classmethod
    def _usual_kinds(cls, reader: MetadataReader, layers: int) -> list[str]:
        interval = reader.integer("full_attention_interval", 1, 1024, INTERVAL)
        attention, other = cls.LAYER_KINDS
        return [other if (layer + 1) % interval else attention for layer in range(layers)]

    def _queries_keys_values(self, plan: Plan, h: Value, name: str) -> tuple[Value, Value, Value]:
        kv = self.shape.heads.kv * self.shape.heads.dim
        return (
            self._queries_or_gates(plan, h, name, 0),
            self._linear(plan, h, f"{name}.attn_k", kv),
            self._linear(plan, h, f"{name}.attn_v", kv),
        )

    def _queries_or_gates(self, plan: Plan, h: Value, name: str, which: int) -> Value:
        """The queries (0), or the gates (1): of each head, one after the other."""
        heads, product = self.shape.heads, f"{name}.attn_q"
        part = Part(which * heads.dim, 2 * heads.query * heads.dim, heads.query)
        bias, width = self._bias_of(product), heads.query * heads.dim
        return plan.linear(h, f"{product}.weight", width, bias=bias, part=part)

    def _attend(self, plan: Plan, h: Value, layer: int, rope: RopeTable | None) -> Value:
        gates = self._queries_or_gates(plan, h, f"blk.{layer}", 1)
        return plan.sigmoid(gates, super()._attend(plan, h, layer, rope))

    def _mlp(self, plan: Plan, x: Value, name: str) -> Value:
        h = self._norm(plan, x, f"{name}.post_attention_norm")
        return self._feed_forward(plan, h, name, residual=x)

    def _mix(self, plan: Plan, h: Value, name: str, residual: Value | None) -> Value:
        mixer, part = self.mixer, f"{name}.ssm"
        assert mixer is not None
        x, gates = self._inputs_and_gates(plan, h, name, mixer)
        strengths, steps = self._strengths_and_steps(plan, h, part, mixer)
        x = plan.causal_conv(x, f"{part}_conv1d.weight", mixer.taps)
        sizes, turns = (mixer.channels, mixer.size), self.takes_turns
        y = plan.delta_rule(x, steps, strengths, *sizes, part, takes_turns=turns)
        y = plan.rms_norm(y, f"{part}_norm.weight", self.eps, heads=mixer.heads)
        return self._add(plan, plan.silu_mul(gates, y), f"{part}_out", residual)

    def _inputs_and_gates(
        self, plan: Plan, h: Value, name: str, mixer: DeltaNet
    ) -> tuple[Value, Value]:
        """Queries, keys and values of all heads, as one; and what gates the results."""
        return (
            self._linear(plan, h, f"{name}.attn_qkv", mixer.num_convolved),
            self._linear(plan, h, f"{name}.attn_gate", mixer.channels),
        )

    def _strengths_and_steps(
        self, plan: Plan, h: Value, part: str, mixer: DeltaNet
    ) -> tuple[Value, Value]:
        """How much each head corrects, and forgets."""
        return (
            self._linear(plan, h, f"{part}_beta", mixer.heads),
            self._linear(plan, h, f"{part}_alpha", mixer.heads),
        )
