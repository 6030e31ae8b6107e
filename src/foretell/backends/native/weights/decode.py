"""Packed matrices back to floats, by the kernels themselves; and floats to the bytes of a type."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import KvType, Program, instruction_sets
from foretell.formats.types import BlockType, TensorType

Floats = NDArray[np.float32]


def decode(kind: BlockType, data: NDArray[np.uint8], rows: int, cols: int) -> Floats:
    """What the blocks of a matrix stand for, exactly, `(rows, cols)`.

    ValueError if a weight is NaN or infinite.
    """
    program = Program(
        instruction_sets()[0],
        threads=1,
        max_tokens=1,
        kv_layers=[],
        block_size=16,
        num_blocks=1,
        kv_type=KvType.float32,
    )
    index = program.add_matrix(kind.ggml_id, data, rows, cols)
    if program.pack() >= 0:
        raise ValueError("holds NaN or infinite weights")
    return program.read_matrix(index)


def float_bytes(values: Floats, kind: BlockType) -> NDArray[np.uint8]:
    """Floats as F32, F16 or BF16, rounded to nearest, ties to even."""
    if kind is TensorType.F16:
        with np.errstate(over="ignore"):
            return values.astype(np.float16).view(np.uint8).reshape(-1)
    if kind is TensorType.BF16:
        bits = np.ascontiguousarray(values).view(np.uint32)
        rounded = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
        return (rounded >> np.uint32(16)).astype(np.uint16).view(np.uint8).reshape(-1)
    return np.ascontiguousarray(values, np.float32).view(np.uint8).reshape(-1)


def softplus(values: Floats) -> Floats:
    """log(1 + e^x), of each value."""
    return np.logaddexp(0, values.astype(np.float64)).astype(np.float32)
