"""What the backend must know of any model, and what families share in reading their sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from foretell.backends.native.plan import Heads, Plan
from foretell.backends.native.weights.source import HFName
from foretell.backends.native.weights.spellings import find_tensor
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape

NO_HEADS = Heads(0, 0, 0)


@dataclass(frozen=True)
class ModelShape:
    """Sizes that the KV cache and the engine depend on.

    Attributes:
        layers: how many there are, with attention or without.
        heads: of those with attention; NO_HEADS where none has any.
        vocab_size: length of a row of logits.
        context_length: most positions of a sequence.
    """

    layers: int
    heads: Heads
    vocab_size: int
    context_length: int


class Model(Protocol):
    """One model; its class is a family.

    Attributes:
        ARCHITECTURES: what GGUF files call the family, in `general.architecture`.
        MODEL_TYPES: what checkpoints call it, in the `model_type` of `config.json`.
        HF_NAMES: what checkpoints call each weight that the plan names.
    """

    ARCHITECTURES: ClassVar[tuple[str, ...]]
    MODEL_TYPES: ClassVar[tuple[str, ...]]
    HF_NAMES: ClassVar[dict[str, HFName]]

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata.

        What the file says of its computation and nobody asks the reader for is refused.

        Args:
            file: an open file.
            reader: of its architecture's keys.

        Raises:
            ModelFileError: they make no sense.
            UnsupportedModelError: the plan would leave something out.
        """
        ...

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`; errors are those of `from_gguf`."""
        ...

    @property
    def shape(self) -> ModelShape:
        """Its sizes."""
        ...

    def define(self) -> Plan:
        """Its computation, from token ids to logits."""
        ...


@runtime_checkable
class DependsOnContext(Protocol):
    """A model whose computation depends on how long its sequences may get."""

    def within(self, context_length: int) -> Model:
        """The model, loaded for sequences of so many positions; the same if they do not matter."""
        ...


@dataclass(frozen=True)
class TokenMatrices:
    """Which matrices a plan takes for a token's values: those it begins with, and for its logits.

    One for both if they are tied.
    """

    embedding: str = "token_embd.weight"
    output: str = "output.weight"

    @classmethod
    def of_gguf(cls, file: GGUFFile) -> TokenMatrices:
        """Tied where the file has one alone."""
        usual = cls()
        return usual if usual.output in file.tensors else cls(output=usual.embedding)

    @classmethod
    def of_checkpoint(
        cls, checkpoint: Checkpoint, names: Mapping[str, HFName], *, tied: bool
    ) -> TokenMatrices:
        """As transformers ties them: not where the files hold two that differ.

        Args:
            checkpoint: an open folder.
            names: what it calls each weight.
            tied: whether its config says so.
        """
        usual = cls()
        embedding, output = (
            find_tensor(checkpoint, names[name].name) for name in (usual.embedding, usual.output)
        )
        if not tied or (embedding and output and not _are_equal(checkpoint, embedding, output)):
            return usual
        one = usual.embedding if embedding or not output else usual.output
        return cls(one, one)


def _are_equal(checkpoint: Checkpoint, one: str, other: str) -> bool:
    """Whether two tensors hold the same bytes."""
    kinds = [
        (checkpoint.tensors[name].dtype, checkpoint.tensors[name].shape) for name in (one, other)
    ]
    return kinds[0] == kinds[1] and np.array_equal(checkpoint.data(one), checkpoint.data(other))


def text_config(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """What a checkpoint's config says of texts, where its model reads pictures or hears too."""
    config = checkpoint.config
    reader = MetadataReader.of_config(config, f"{escape(checkpoint.path)}/config.json")
    text = reader.part("text_config")
    return config if text is None else {**config, **text.values}


def check_heads(reader: MetadataReader, heads: Heads) -> Heads:
    """The heads, if the kernels take them.

    Raises:
        ModelFileError: they cannot be shared evenly.
        UnsupportedModelError: they have an odd number of values.
    """
    if heads.query % heads.kv:
        raise reader.wrong(f"{heads.query} query heads cannot share {heads.kv} kv heads")
    if heads.dim % 16 or not 16 <= heads.dim <= 1024:
        raise reader.unsupported(f"a head of {heads.dim} values (not a multiple of 16 up to 1024)")
    return heads


def layer_windows(
    reader: MetadataReader, layers: int, *, window: int | None, pattern: int
) -> tuple[int | None, ...]:
    """How many positions each layer of a checkpoint sees: `window`, or None for all.

    `layer_types` of `config.json` says which layers have a window; not given, all but each
    `pattern`-th.
    """
    local, everywhere = "sliding_attention", "full_attention"
    usual = [local if (layer + 1) % pattern else everywhere for layer in range(layers)]
    kinds = reader.texts("layer_types", usual)
    if len(kinds) != layers or not set(kinds) <= {local, everywhere}:
        raise reader.wrong(
            f"layer_types must be one of {local!r} and {everywhere!r} for each of {layers} layers"
        )
    return tuple(window if kind == local else None for kind in kinds)


def same_window(reader: MetadataReader, layers: int) -> tuple[int | None, ...]:
    """The same window for each layer of a checkpoint: `sliding_window`, None if it has none."""
    has_window = "sliding_window" in reader
    return (reader.integer("sliding_window", 1, 2**24) if has_window else None,) * layers


def file_windows(
    reader: MetadataReader, layers: int, *, pattern: int | None = None
) -> tuple[int | None, ...]:
    """How many positions each layer of a GGUF file sees: its window, or None for all.

    `attention.sliding_window_pattern` says which layers have a window, or that all but each so
    many do; not given, all but each `pattern`-th.
    """
    window = reader.integer("attention.sliding_window", 0, 2**24, 0)
    key = "attention.sliding_window_pattern"
    sees_window = [pattern is None or (layer + 1) % pattern != 0 for layer in range(layers)]
    if reader.is_list(key):
        sees_window = reader.flags(key)
        if len(sees_window) != layers:
            raise reader.wrong(f"{key} is of {len(sees_window)} layers: must be of {layers}")
    elif key in reader:
        each = reader.integer(key, 1, 1024)
        sees_window = [(layer + 1) % each != 0 for layer in range(layers)]
    return tuple(window if window and sees else None for sees in sees_window)
