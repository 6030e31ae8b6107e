"""What the backend must know of any model, and what families share in reading their sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

from foretell.backends.native.plan import Heads, Plan
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class ModelShape:
    """Sizes that the KV cache and the engine depend on."""

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
    def from_gguf(cls, file: GGUFFile) -> Self:
        """Read the sizes from the metadata.

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
