"""Mamba, Falcon Mamba (Gu & Dao 2023, arXiv 2312.00752): selective state spaces, no attention.

norm, mixer, residual: each channel is convolved with its last few inputs and goes through a state
space, whose steps, B and C depend on the token. Falcon Mamba norms these three, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

from foretell.backends.native.model import NO_HEADS, ModelShape, TokenMatrices
from foretell.backends.native.plan import Plan, Value
from foretell.backends.native.state_spaces import MAX_TAPS, check_channels, mixer_names
from foretell.backends.native.weights.gguf_weights import GGUFWeights
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape

CONTEXT_LENGTH = 2**20
"""Positions where a config does not say: a state has no limit, so this is what files say."""

BACKBONE_NAMES: dict[str, HFName] = {
    "token_embd.weight": HFName("backbone.embeddings.weight"),
    "blk.{}.attn_norm.weight": HFName("backbone.layers.{}.norm.weight"),
    **mixer_names("backbone.layers.{}.mixer"),
    "output_norm.weight": HFName("backbone.norm_f.weight"),
    "output.weight": HFName("lm_head.weight"),
}
"""What a checkpoint of Mamba calls each weight, and one of Mamba 2."""


@dataclass(frozen=True)
class Mamba:
    """The sizes of one Mamba model, and its computation.

    Attributes:
        inner: channels of a mixer.
        state_size: components of each channel's state.
        rank: values that the steps of all channels are made from.
        taps: inputs of a convolution.
        has_conv_bias: whether convolutions have biases.
        inner_eps: of the norms of steps, B and C; None where these are not normed.
    """

    ARCHITECTURES: ClassVar = ("mamba",)
    MODEL_TYPES: ClassVar = ("mamba", "falcon_mamba")
    HF_NAMES: ClassVar[dict[str, HFName]] = {
        **BACKBONE_NAMES,
        "blk.{}.ssm_x.weight": HFName("backbone.layers.{}.mixer.x_proj.weight"),
        "blk.{}.ssm_dt.weight": HFName("backbone.layers.{}.mixer.dt_proj.weight"),
        "blk.{}.ssm_dt.bias": HFName("backbone.layers.{}.mixer.dt_proj.bias"),
    }

    shape: ModelShape
    width: int
    inner: int
    state_size: int
    rank: int
    taps: int
    eps: float
    matrices: TokenMatrices
    has_conv_bias: bool = True
    inner_eps: float | None = None

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        ignore_unused_sizes(reader)
        eps = reader.number("attention.layer_norm_rms_epsilon", 0, 1)
        return cls(
            shape=file_shape(file, reader),
            width=reader.integer("embedding_length", 16, 2**16),
            inner=check_channels(reader, reader.integer("ssm.inner_size", 16, 2**20)),
            state_size=reader.integer("ssm.state_size", 1, 2**12),
            rank=reader.integer("ssm.time_step_rank", 1, 2**16),
            taps=reader.integer("ssm.conv_kernel", 1, MAX_TAPS),
            eps=eps,
            matrices=TokenMatrices.of_gguf(file),
            inner_eps=eps if reader.flag("ssm.dt_b_c_rms", False) else None,
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        reader = config_reader(checkpoint)
        width = reader.integer("hidden_size", 16, 2**16)
        rank: int | str = "auto"
        if not ("time_step_rank" in reader and reader.values["time_step_rank"] == rank):
            rank = reader.integer("time_step_rank", 1, 2**16, math.ceil(width / 16))
        is_normed = checkpoint.config.get("model_type") == "falcon_mamba"
        return cls(
            shape=config_shape(reader),
            width=width,
            inner=inner_width(reader, width),
            state_size=reader.integer("state_size", 1, 2**12),
            rank=math.ceil(width / 16) if isinstance(rank, str) else rank,
            taps=reader.integer("conv_kernel", 1, MAX_TAPS, 4),
            eps=reader.number("layer_norm_epsilon", 0, 1, 1e-5),
            matrices=TokenMatrices.of_checkpoint(
                checkpoint, cls.HF_NAMES, tied=reader.flag("tie_word_embeddings", True)
            ),
            has_conv_bias=reader.flag("use_conv_bias", True),
            inner_eps=reader.number("mixer_rms_eps", 0, 1, 1e-6) if is_normed else None,
        )

    def define(self) -> Plan:
        """The model's computation, from token ids to logits."""
        plan = Plan()
        x = plan.embed(self.matrices.embedding, vocab_size=self.shape.vocab_size, width=self.width)
        for layer in range(self.shape.layers):
            x = self._mixer(plan, x, f"blk.{layer}")
        x = plan.rms_norm(plan.gather_rows(x), "output_norm.weight", self.eps)
        plan.linear(x, self.matrices.output, self.shape.vocab_size)
        return plan

    def _mixer(self, plan: Plan, x: Value, name: str) -> Value:
        inner, size = self.inner, self.state_size
        h = plan.rms_norm(x, f"{name}.attn_norm.weight", self.eps)
        u, gate = plan.linears(h, f"{name}.ssm_in.weight", (inner, inner))
        bias = f"{name}.ssm_conv1d.bias" if self.has_conv_bias else None
        u = plan.causal_conv(u, f"{name}.ssm_conv1d.weight", self.taps, bias=bias)
        steps, bc = plan.linears(u, f"{name}.ssm_x.weight", (self.rank, 2 * size))
        if self.inner_eps is not None:
            steps = plan.rms_norm(steps, None, self.inner_eps)
            bc = plan.rms_norm(bc, None, self.inner_eps, heads=2)
        steps = plan.linear(steps, f"{name}.ssm_dt.weight", inner)
        y = plan.selective_scan(u, steps, inner, size, f"{name}.ssm", bc=bc)
        return plan.linear(plan.silu_mul(gate, y), f"{name}.ssm_out.weight", self.width, residual=x)


def ignore_unused_sizes(reader: MetadataReader) -> None:
    """Ask for what files of models without attention say of it, or of an MLP: nothing."""
    for key in ("feed_forward_length", "attention.head_count"):
        reader.integer(key, 0, 2**24, 0)


def file_shape(file: GGUFFile, reader: MetadataReader) -> ModelShape:
    """The shape of a model without attention, from a file."""
    return ModelShape(
        layers=reader.integer("block_count", 1, 1024),
        heads=NO_HEADS,
        vocab_size=GGUFWeights(file).rows("token_embd.weight"),
        context_length=reader.integer("context_length", 1, 2**24),
    )


def config_shape(reader: MetadataReader) -> ModelShape:
    """The shape of a model without attention, from a config."""
    return ModelShape(
        layers=reader.integer("num_hidden_layers", 1, 1024),
        heads=NO_HEADS,
        vocab_size=reader.integer("vocab_size", 1, 2**24),
        context_length=reader.integer("max_position_embeddings", 1, 2**24, CONTEXT_LENGTH),
    )


def config_reader(checkpoint: Checkpoint) -> MetadataReader:
    """A reader of the config of a Mamba or a Mamba 2, after what these plans leave out."""
    reader = MetadataReader.of_config(checkpoint.config, f"{escape(checkpoint.path)}/config.json")
    if reader.flag("use_bias", False):
        raise reader.unsupported("use_bias=true")
    if reader.text("hidden_act", "silu") != "silu":
        raise reader.unsupported("an activation other than silu")
    return reader


def inner_width(reader: MetadataReader, width: int) -> int:
    """Channels of a mixer, as a config says: `expand` times the width."""
    return check_channels(reader, int(reader.number("expand", 0, 2**10, 2) * width))


FAMILY = Mamba
