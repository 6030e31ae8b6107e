"""What weights of both kinds of files are held to: types to pack them in, shapes, numbers."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import packed_bytes
from foretell.backends.native.options import Quantize
from foretell.backends.native.weights.adapters import Adapters
from foretell.backends.native.weights.decode import float_bytes
from foretell.backends.native.weights.quantize import FLOAT_TYPES
from foretell.backends.native.weights.source import Part
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.types import VECTOR_TYPES, BlockType, FolderType, TensorType
from foretell.utils.quoting import escape

Bytes = NDArray[np.uint8]
QUANTIZED_TYPES: dict[Quantize, TensorType] = {"q8": TensorType.Q8_0, "q4": TensorType.Q4_1}
KEPT = ("position_embd.weight",)
KEPT_PARTS = (".ssm_a", ".ssm_conv1d.weight", ".shortconv.conv.weight", ".ssm_dt.weight")
ROUTERS = (".ffn_gate_inp.weight", ".ffn_gate_inp_shexp.weight")
STATE_CONTROLS = (".ssm_alpha.weight", ".ssm_beta.weight", ".ssm_ba.weight")
"""Matrices that `quantize` leaves as they are: they are no part of a product, or a narrow one."""

FLOATS: tuple[BlockType, ...] = (*FLOAT_TYPES, FolderType.E4M3_128)
"""What `quantize` quantizes."""


def refuse_adapters(adapters: Adapters, name: str) -> None:
    """UnsupportedModelError if adapters change this weight of all experts, or heads."""
    if adapters.changes(name):
        raise UnsupportedModelError(
            f"an adapter of experts' or heads' own weights ({name}) is not supported"
        )


def as_kept(shape: tuple[int, ...], rows: int, columns: int) -> tuple[int, ...]:
    """How a small matrix may be kept: as a file keeps it, where that is no other matrix."""
    sizes, wanted = ([size for size in one if size != 1] for one in (shape, (rows, columns)))
    is_flat = min(len(sizes), len(wanted)) <= 1 and prod(shape) == rows * columns
    return shape if sizes == wanted or is_flat else (rows, columns)


def changed(
    values: NDArray[np.float32], kind: BlockType, target: BlockType
) -> tuple[BlockType, Bytes]:
    """A changed weight's bytes: in the float type that it has, or in float32 to be quantized."""
    kept = kind if target is kind else TensorType.F32
    return kept, float_bytes(values, kept)


def packed_type(name: str, stored: BlockType, target: TensorType | None) -> BlockType:
    """The type in which a weight of this type is packed, with this one to quantize to."""
    keeps = target is None or stored not in FLOATS or is_kept(name)
    return stored if keeps or target is None else target


def is_kept(name: str) -> bool:
    """Whether `quantize` leaves this matrix as it is."""
    return name in KEPT or name.endswith((*KEPT_PARTS, *ROUTERS, *STATE_CONTROLS))


def memory_of(
    name: str,
    stored: BlockType,
    shape: tuple[int, ...],
    target: TensorType | None,
    transposed: float = 0.0,
) -> int:
    """Bytes of a weight in a program: of a matrix in its packed format, of a vector in float32.

    A share of it may be `transposed`.
    """
    if transposed:
        turned = memory_of(name, transposable(stored), shape, target)
        rest = memory_of(name, stored, shape, target)
        return round(transposed * turned + (1 - transposed) * rest)
    if name.endswith(".ffn_gate_inp_shexp.weight"):
        shape = (1, shape[-1])
    is_vector = len(shape) < 2 or name.endswith(".bias")
    if is_vector or stored in VECTOR_TYPES:
        return prod(shape) * 4
    return packed_bytes(packed_type(name, stored, target).ggml_id, prod(shape[:-1]), shape[-1])


def transposable(stored: BlockType) -> BlockType:
    """The type as which a matrix is transposed: its own, if it has an element of its own a weight.

    Blocks of a row's neighbours have none; the floats that they stand for have.
    """
    return stored if stored in FLOAT_TYPES else TensorType.F32


def rows_of(data: Bytes, rows: int, part: Part | None, cols: int = 1) -> Bytes:
    """The bytes of that part of a weight's rows; a transposed part's are elements."""
    if part is None:
        return data
    if part.is_transposed:
        heights = (part.groups, part.total // part.groups, rows // part.groups)
        own = data.reshape(*heights, -1)[:, part.begin : part.begin + cols]
        return np.ascontiguousarray(own.swapaxes(1, 2)).reshape(-1)
    row_bytes = len(data) // part.total
    begin, size = part.begin * row_bytes, rows // part.groups * row_bytes
    return data.reshape(part.groups, -1)[:, begin : begin + size].reshape(-1)


def vector_shape(size: int, part: Part | None, heads: int) -> tuple[int, ...]:
    """What shape the file gives the vector that this one is, or is a part of."""
    whole = part.total if part else size
    return (whole,) if heads == 1 else (heads, whole // heads)


def finite(values: NDArray[np.float32], path: Path, name: str) -> NDArray[np.float32]:
    """The values of this tensor; ModelFileError if one is not finite."""
    if not np.isfinite(values).all():
        raise ModelFileError(f"{escape(path)}: tensor {name!r} holds NaN or infinite weights")
    return values
