"""Matrices of integer codes in 32-bit words, with a scale and a zero a group of inputs.

A weight is scale · (code - zero), the scale a float16: a product of at most 11 and 9 bits, exact in
float32. GPTQ, AWQ and compressed-tensors differ in how the words lie, and in how they are named.

In memory such a matrix has the bits that it has in its files, but for groups of 32 of ours that
repeat nothing: units of 128 inputs for groups of 128 and more, of 32 for those of 32 and 64.
Codes of 2 and 3 bits take 4. What fits no such form becomes float32, exactly: groups of other sizes
and scales that float16 does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import WordOrder, blocks_of_words
from foretell.backends.native.weights.decode import decode, float_bytes
from foretell.formats.types import BlockType, FolderType, TensorType

BITS = (2, 3, 4, 8)
_AWQ_NIBBLES = (0, 4, 1, 5, 2, 6, 3, 7)  # where each of eight rows lies in its word
_NO_INPUTS = np.empty(0, np.int32)


@dataclass(frozen=True)
class GroupedMatrix:
    """One matrix of codes.

    Attributes:
        names: its tensors.
        shape: outputs and inputs.
        words: the codes, however `layout` says.
        layout: how the words lie.
        bits: of a code.
        groups: how many a row has.
        scales: reads them, `(outputs, groups)`, finite; they are not kept.
        zeros: reads these likewise.
        group_of: the group of each input; None: they are as large as each other, and in order.
    """

    names: tuple[str, ...]
    shape: tuple[int, int]
    words: NDArray[np.uint32] = field(repr=False)
    layout: WordOrder
    bits: int
    groups: int
    scales: Callable[[], NDArray[np.float32]] = field(repr=False)
    zeros: Callable[[], NDArray[np.uint8]] = field(repr=False)
    group_of: NDArray[np.int32] | None = field(default=None, repr=False)

    @cached_property
    def kind(self) -> BlockType:
        """The form in which it is packed."""
        group = self._group_size
        if group is None or not are_halves(self.scales()):
            return TensorType.F32
        is_signed = bool((self.zeros() == (128 if self.bits == 8 else 8)).all())
        if self.bits == 8:
            return TensorType.Q8_0 if is_signed else FolderType.Z8_32
        if group % 128 == 0:
            return FolderType.S4_128 if is_signed else FolderType.Z4_128
        return TensorType.Q4_0 if is_signed else FolderType.Z4_32

    @cached_property
    def order(self) -> NDArray[np.int32] | None:
        """The inputs, group by group; None where they lie so."""
        if self.group_of is None or self.kind is TensorType.F32:
            return None
        return np.argsort(self.group_of, kind="stable").astype(np.int32)

    def blocks(self) -> NDArray[np.uint8]:
        """Its bytes, as `kind` has them."""
        if self.kind is TensorType.F32:
            return float_bytes(self._computed(), TensorType.F32)
        rows, cols = self.shape
        blocks = np.empty(self.kind.nbytes(rows * cols), np.uint8)
        blocks_of_words(
            self.layout,
            self.bits,
            np.ascontiguousarray(self.words).reshape(-1),
            _NO_INPUTS if self.order is None else self.order,
            self.scales().astype(np.float16).view(np.uint16).reshape(-1),
            self.zeros().reshape(-1),
            self.kind.ggml_id,
            rows,
            blocks,
        )
        return blocks

    def values(self) -> NDArray[np.float32]:
        """scale · (code - zero), inputs in their own order."""
        if self.kind is TensorType.F32:
            return self._computed()
        found = decode(self.kind, self.blocks(), *self.shape)
        if self.order is None:
            return found
        values = np.empty_like(found)
        values[:, self.order] = found
        return values

    def _computed(self) -> NDArray[np.float32]:
        """The same, where no packed form has them."""
        groups = self._groups
        codes = codes_of_words(self.words, self.layout, self.bits).astype(np.int16)
        codes -= self.zeros()[:, groups]
        with np.errstate(over="ignore"):  # what is infinite is refused as it is packed
            return self.scales()[:, groups] * codes.astype(np.float32)

    @property
    def _groups(self) -> NDArray[np.int32]:
        if self.group_of is not None:
            return self.group_of
        cols = self.shape[1]
        return (np.arange(cols) // (cols // self.groups)).astype(np.int32)

    @property
    def _group_size(self) -> int | None:
        """Inputs that share a scale, if all groups have as many, and are whole ones of ours."""
        cols, groups = self.shape[1], self.groups
        size: int = cols // groups
        if cols % groups or size % 32:
            return None
        if self.group_of is not None and (np.bincount(self.group_of) != size).any():
            return None
        return size


def are_halves(scales: NDArray[np.float32]) -> bool:
    """Whether float16 has all of these numbers."""
    with np.errstate(over="ignore"):
        return bool((scales.astype(np.float16).astype(np.float32) == scales).all())


def _awq_columns(count: int) -> NDArray[np.int64]:
    """Where each row lies among codes that come in the order of their bits."""
    places: NDArray[np.int64] = np.arange(0, count, 8).repeat(8) + np.tile(_AWQ_NIBBLES, count // 8)
    return places


def codes_of_words(words: NDArray[np.uint32], layout: WordOrder, bits: int) -> NDArray[np.uint8]:
    """The codes, one a byte `(outputs, inputs)`, of words `(…, …)` that lie as `layout` says."""
    if layout is WordOrder.rows_interleaved:
        return codes_of_lines(words, 4)[:, _awq_columns(8 * words.shape[1])].T
    lines = words.T if layout is WordOrder.inputs_down else words
    return codes_of_lines(np.ascontiguousarray(lines), bits)


def codes_of_lines(lines: NDArray[np.uint32], bits: int) -> NDArray[np.uint8]:
    """The codes of runs of bits, a run a line, each in as many words as it takes."""
    if bits in (2, 4, 8):
        count = 32 // bits
        codes = np.empty((len(lines), lines.shape[1] * count), np.uint8)
        for at in range(count):
            codes[:, at::count] = lines >> np.uint32(at * bits) & np.uint32((1 << bits) - 1)
        return codes
    singles = np.unpackbits(lines.view(np.uint8), axis=1, bitorder="little")
    weights = (1 << np.arange(bits)).astype(np.uint8)
    parts = singles.reshape(len(lines), -1, bits) * weights
    return np.asarray(parts.sum(axis=2, dtype=np.uint8))
