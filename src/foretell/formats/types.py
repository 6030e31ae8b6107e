"""How files store tensors: GGUF's types and others, and how many bytes each takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class BlockType(Enum):
    """How a tensor's elements are stored: an id, block length and block size.

    A row is a run of blocks; each block holds `block_size` elements in `block_bytes` bytes.
    """

    def __init__(self, ggml_id: int, block_size: int, block_bytes: int) -> None:
        self.ggml_id = ggml_id
        self.block_size = block_size
        self.block_bytes = block_bytes

    def nbytes(self, num_elements: int) -> int:
        """Bytes of `num_elements` elements, a multiple of `block_size`."""
        return num_elements // self.block_size * self.block_bytes


class FolderType(BlockType):
    """What matrices of checkpoint folders become that no GGUF file could hold as they are.

    Ids from 1000 on are foretell's own (`csrc/weights/file_types.h`). S: codes around 0, as in
    Q4_0, with a float16 scale; Z: codes around a zero of a byte, which follows the scale; E4M3:
    floats of 8 bits behind a float32 scale. The last number is how many inputs share a scale.
    """

    S4_128 = (1000, 128, 66)
    Z4_128 = (1001, 128, 67)
    Z4_32 = (1002, 32, 19)
    Z8_32 = (1003, 32, 35)
    E4M3_128 = (1004, 128, 132)


class TensorType(BlockType):
    """A ggml tensor type that foretell reads: its id in the file, block length and block size.

    Integers and doubles (I8 to F64) are for vectors only: ggml has no products with them.
    """

    F32 = (0, 1, 4)
    F16 = (1, 1, 2)
    Q4_0 = (2, 32, 18)
    Q4_1 = (3, 32, 20)
    Q5_0 = (6, 32, 22)
    Q5_1 = (7, 32, 24)
    Q8_0 = (8, 32, 34)
    Q2_K = (10, 256, 84)
    Q3_K = (11, 256, 110)
    Q4_K = (12, 256, 144)
    Q5_K = (13, 256, 176)
    Q6_K = (14, 256, 210)
    IQ2_XXS = (16, 256, 66)
    IQ2_XS = (17, 256, 74)
    IQ3_XXS = (18, 256, 98)
    IQ1_S = (19, 256, 50)
    IQ4_NL = (20, 32, 18)
    IQ3_S = (21, 256, 110)
    IQ2_S = (22, 256, 82)
    IQ4_XS = (23, 256, 136)
    I8 = (24, 1, 1)
    I16 = (25, 1, 2)
    I32 = (26, 1, 4)
    I64 = (27, 1, 8)
    F64 = (28, 1, 8)
    IQ1_M = (29, 256, 56)
    BF16 = (30, 1, 2)
    TQ1_0 = (34, 256, 54)
    TQ2_0 = (35, 256, 66)
    MXFP4 = (39, 32, 17)
    NVFP4 = (40, 64, 36)
    Q1_0 = (41, 128, 18)
    Q2_0 = (42, 64, 18)

    @staticmethod
    def from_ggml_id(ggml_id: int) -> TensorType | None:
        """The type with this id in a GGUF file; None if foretell does not read it."""
        return _BY_ID.get(ggml_id)


_BY_ID = {kind.ggml_id: kind for kind in TensorType}

VECTOR_TYPES = (
    TensorType.I8,
    TensorType.I16,
    TensorType.I32,
    TensorType.I64,
    TensorType.F64,
)
"""Types that only a vector may have."""

_REMOVED = "which ggml itself reads no longer"
_INTERMEDIATE = "which ggml has for intermediate results, not for weights"
REFUSED = {
    4: ("Q4_2", _REMOVED),
    5: ("Q4_3", _REMOVED),
    9: ("Q8_1", _INTERMEDIATE),
    15: ("Q8_K", _INTERMEDIATE),
    31: ("Q4_0_4_4", _REMOVED),
    32: ("Q4_0_4_8", _REMOVED),
    33: ("Q4_0_8_8", _REMOVED),
    36: ("IQ4_NL_4_4", _REMOVED),
    37: ("IQ4_NL_4_8", _REMOVED),
    38: ("IQ4_NL_8_8", _REMOVED),
}
"""ggml's other types by id: names, and why foretell does not read them."""


def describe_refused(ggml_id: int) -> str:
    """What an error message says of a type that foretell does not read."""
    name, reason = REFUSED.get(ggml_id, (f"type {ggml_id}", "which foretell does not know"))
    return f"{name}, {reason}"


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies, and what it holds.

    Attributes:
        name: the tensor's name, such as "blk.0.attn_q.weight".
        type: how its elements are stored.
        shape: rows first (numpy's order, the reverse of the file's); the last axis is one row.
        offset: first byte, counted from the start of the file.
        nbytes: bytes that it takes.
    """

    name: str
    type: TensorType
    shape: tuple[int, ...]
    offset: int
    nbytes: int
