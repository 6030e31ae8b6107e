"""Matrices of 8 bits a weight, floats or integers, with scales for rows or blocks of them.

A float8 weight (E4M3, without infinities: Micikevicius et al. 2022, arXiv 2209.05433) times its
scale, rounded to float32, is what is meant. In memory it stays 8 bits, behind a float32 scale for
each row and 128 inputs; a product decodes it to that very float32.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.weights.decode import float_bytes
from foretell.backends.native.weights.forms.grouped import are_halves
from foretell.formats.types import BlockType, FolderType, TensorType

GROUP = 128  # inputs behind a scale: FolderType.E4M3_128


@dataclass(frozen=True)
class ScaledMatrix:
    """One matrix of bytes.

    Attributes:
        names: its tensors.
        shape: outputs and inputs.
        codes: `(outputs, inputs)`: bytes of E4M3, or int8.
        scales: a grid of finite numbers, each for a block.
        block: outputs and inputs that share a scale; the last ones may be fewer.
    """

    names: tuple[str, ...]
    shape: tuple[int, int]
    codes: NDArray[np.uint8] | NDArray[np.int8] = field(repr=False)
    scales: NDArray[np.float32] = field(repr=False)
    block: tuple[int, int]
    order = None

    @cached_property
    def kind(self) -> BlockType:
        """The form in which it is packed: float32 where no other is exact."""
        cols, width = self.shape[1], self.block[1]
        unit = GROUP if self._is_float else 32
        if cols % unit or (width < cols and width % unit):
            return TensorType.F32
        if self._is_float:
            return FolderType.E4M3_128
        return TensorType.Q8_0 if are_halves(self.scales) else TensorType.F32

    def blocks(self) -> NDArray[np.uint8]:
        """Its bytes, as `kind` has them."""
        if self.kind is TensorType.F32:
            return float_bytes(self.values(), TensorType.F32)
        rows, cols = self.shape
        unit = self.kind.block_size
        dtype = np.float32 if self._is_float else np.float16
        scales = np.ascontiguousarray(self._spread(unit).astype(dtype)).view(np.uint8)
        blocks = np.empty((rows, cols // unit, self.kind.block_bytes), np.uint8)
        head = self.kind.block_bytes - unit
        blocks[:, :, :head] = scales.reshape(rows, -1, head)
        blocks[:, :, head:] = self.codes.view(np.uint8).reshape(rows, -1, unit)
        return blocks.reshape(-1)

    def values(self) -> NDArray[np.float32]:
        """weight · scale, rounded to float32."""
        codes = E4M3[self.codes] if self._is_float else self.codes.astype(np.float32)
        with np.errstate(over="ignore"):  # what is infinite is refused as it is packed
            return codes * self._spread(1)

    @property
    def _is_float(self) -> bool:
        return self.codes.dtype == np.uint8

    def _spread(self, unit: int) -> NDArray[np.float32]:
        """The scales of each row and each `unit` inputs."""
        rows, cols = self.shape
        down, along = np.arange(rows) // self.block[0], np.arange(0, cols, unit) // self.block[1]
        return np.asarray(self.scales[down][:, along])


def _decode_all() -> NDArray[np.float32]:
    """The floats of all 256 bytes: 1 bit of sign, 4 of exponent, 3 of fraction."""
    codes = np.arange(256)
    exponents, fractions = codes >> 3 & 15, codes & 7
    normal = np.ldexp((8 + fractions).astype(np.float32), exponents - 10)
    values = np.where(exponents == 0, np.ldexp(fractions.astype(np.float32), -9), normal)
    values[codes & 127 == 127] = np.nan
    return np.where(codes < 128, values, -values).astype(np.float32)


E4M3 = _decode_all()
