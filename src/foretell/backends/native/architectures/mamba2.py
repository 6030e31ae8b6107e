"""Mamba 2 (Dao & Gu 2024, arXiv 2405.21060): Mamba whose channels share their steps by heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from foretell.backends.native.architectures.mamba import (
    BACKBONE_NAMES,
    config_reader,
    config_shape,
    file_shape,
    ignore_unused_sizes,
)
from foretell.backends.native.model import ModelShape, TokenMatrices
from foretell.backends.native.plan import Plan
from foretell.backends.native.state_spaces import StateSpace
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Mamba2:
    """The sizes of one Mamba 2 model, and its computation."""

    ARCHITECTURES: ClassVar = ("mamba2",)
    MODEL_TYPES: ClassVar = ("mamba2",)
    HF_NAMES: ClassVar[dict[str, HFName]] = BACKBONE_NAMES

    shape: ModelShape
    width: int
    mixer: StateSpace
    eps: float
    matrices: TokenMatrices

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        ignore_unused_sizes(reader)
        return cls(
            shape=file_shape(file, reader),
            width=reader.integer("embedding_length", 16, 2**16),
            mixer=StateSpace.of_gguf(reader),
            eps=reader.number("attention.layer_norm_rms_epsilon", 0, 1),
            matrices=TokenMatrices.of_gguf(file),
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        reader = config_reader(checkpoint)
        width = reader.integer("hidden_size", 16, 2**16)
        return cls(
            shape=config_shape(reader),
            width=width,
            mixer=StateSpace.of_config(reader, width),
            eps=reader.number("layer_norm_epsilon", 0, 1, 1e-5),
            matrices=TokenMatrices.of_checkpoint(
                checkpoint, cls.HF_NAMES, tied=reader.flag("tie_word_embeddings", False)
            ),
        )

    def define(self) -> Plan:
        """The model's computation, from token ids to logits."""
        plan = Plan()
        x = plan.embed(self.matrices.embedding, vocab_size=self.shape.vocab_size, width=self.width)
        for layer in range(self.shape.layers):
            name = f"blk.{layer}"
            h = plan.rms_norm(x, f"{name}.attn_norm.weight", self.eps)
            y = self.mixer.mix(plan, h, name, self.eps)
            x = plan.linear(y, f"{name}.ssm_out.weight", self.width, residual=x)
        x = plan.rms_norm(plan.gather_rows(x), "output_norm.weight", self.eps)
        plan.linear(x, self.matrices.output, self.shape.vocab_size)
        return plan


FAMILY = Mamba2
