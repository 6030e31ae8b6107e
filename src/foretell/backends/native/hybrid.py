"""Decoders some of whose layers have no attention, but a recurrent state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import Decoder
from foretell.backends.native.plan import Plan, RopeTable, Value
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

KV_HEADS = "attention.head_count_kv"
"""A list, by layers, in files of hybrids: those without attention have 0."""


@dataclass(frozen=True)
class HybridDecoder(Decoder):
    """The sizes of one hybrid model, and its computation.

    Attributes:
        LAYER_KINDS: what configs call layers; whether these are layers of attention.
        attends: whether each layer is one.
    """

    LAYER_KINDS: ClassVar[Mapping[str, bool]] = {}

    attends: tuple[bool, ...] = ()

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        layers = model.shape.layers
        counts = reader.integers(KV_HEADS) if reader.is_list(KV_HEADS) else [1] * layers
        if len(counts) != layers:
            raise reader.wrong(f"{KV_HEADS} is of {len(counts)} layers: must be of {layers}")
        return replace(model, attends=tuple(map(bool, counts)))

    @classmethod
    def _file_kv_heads(cls, reader: MetadataReader, query: int) -> int:
        """Those of the layers that have any."""
        if not reader.is_list(KV_HEADS):
            return super()._file_kv_heads(reader, query)
        counts = {*reader.integers(KV_HEADS)} - {0}
        if len(counts) != 1 or not 0 < max(counts) <= query:
            raise reader.wrong(f"{KV_HEADS} must be 0, or one number up to {query}, by layers")
        return counts.pop()

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model = super().from_config(checkpoint)
        layers, reader = model.shape.layers, cls._config_reader(checkpoint)
        kinds = reader.texts("layer_types", cls._usual_kinds(reader, layers))
        if len(kinds) != layers or not {*kinds} <= {*cls.LAYER_KINDS}:
            names = ", ".join(map(repr, cls.LAYER_KINDS))
            raise reader.wrong(f"layer_types must be one of {names} for each of {layers} layers")
        return replace(model, attends=tuple(cls.LAYER_KINDS[kind] for kind in kinds))

    @classmethod
    def _usual_kinds(cls, reader: MetadataReader, layers: int) -> list[str]:
        """The kinds of layers where a config does not list them."""
        raise NotImplementedError

    def _attention(
        self,
        plan: Plan,
        h: Value,
        layer: int,
        rope: RopeTable | None,
        residual: Value | None = None,
    ) -> Value:
        if self.attends[layer]:
            return super()._attention(plan, h, layer, rope, residual)
        return self._mix(plan, h, f"blk.{layer}", residual)

    def _mix(self, plan: Plan, h: Value, name: str, residual: Value | None) -> Value:
        """(residual +) what a layer without attention makes of the normed rows `h`."""
        raise NotImplementedError
