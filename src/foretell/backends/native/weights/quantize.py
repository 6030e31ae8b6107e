"""Float matrices to integer codes, as a model is loaded.

A group of 32 neighbours in a row shares a float16 scale. The bytes are those of GGUF's blocks:

- Q8_0: `x ≈ scale · code`, codes from -127 to 127; scale is the group's largest magnitude / 127.
- Q4_1: `x ≈ minimum + scale · code`, codes from 0 to 15. Of several candidate ranges, each refined
  by least squares, the one with the smallest squared error is taken.

Codes are rounded to nearest even with the scale (and minimum) already rounded to float16, so that
what is stored is as near to the weights as its format allows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import CodeType, FloatType, quantize
from foretell.formats.types import BlockType, TensorType

FLOAT_TYPES: dict[BlockType, FloatType] = {
    TensorType.F32: FloatType.float32,
    TensorType.F16: FloatType.float16,
    TensorType.BF16: FloatType.bfloat16,
}
NUMBER_DTYPES: dict[BlockType, np.dtype[Any]] = {
    TensorType.F32: np.dtype(np.float32),
    TensorType.F16: np.dtype(np.float16),
    TensorType.F64: np.dtype(np.float64),
    TensorType.I8: np.dtype(np.int8),
    TensorType.I16: np.dtype(np.int16),
    TensorType.I32: np.dtype(np.int32),
    TensorType.I64: np.dtype(np.int64),
}
"""How numpy reads types that hold a number an element; it has none for BF16."""

CODE_TYPES: dict[BlockType, CodeType] = {TensorType.Q8_0: CodeType.q8, TensorType.Q4_1: CodeType.q4}


def to_float32(data: NDArray[np.uint8], kind: BlockType) -> NDArray[np.float32]:
    """The bytes of numbers as float32: of floats exactly, of larger types rounded to nearest."""
    if kind is TensorType.BF16:
        bits = data.view(np.uint16).astype(np.uint32) << np.uint32(16)
        return np.asarray(bits.view(np.float32))
    with np.errstate(invalid="ignore", over="ignore"):  # whoever asks says where a NaN is
        return data.view(NUMBER_DTYPES[kind]).astype(np.float32)


def quantize_rows(data: NDArray[np.uint8], kind: BlockType, target: BlockType) -> NDArray[np.uint8]:
    """Quantize a matrix whose rows are multiples of 32 wide; bytes in, bytes out.

    Args:
        data: the matrix, row by row, in float type `kind`.
        kind: F32, F16 or BF16.
        target: Q8_0 or Q4_1.

    Raises:
        ValueError: a weight is NaN or infinite, or too large for a float16 scale.
    """
    blocks = np.empty(target.nbytes(data.size // kind.block_bytes), np.uint8)
    quantize(FLOAT_TYPES[kind], data, CODE_TYPES[target], blocks)
    return blocks
