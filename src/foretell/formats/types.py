"""The tensor types of GGUF, and how many bytes each takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class TensorType(Enum):
    """A ggml tensor type that foretell reads: its id in the file, block length and block size.

    A row is a run of blocks; each block holds `block_size` elements in `block_bytes` bytes.
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
    IQ4_NL = (20, 32, 18)
    IQ4_XS = (23, 256, 136)
    BF16 = (30, 1, 2)

    def __init__(self, ggml_id: int, block_size: int, block_bytes: int) -> None:
        self.ggml_id = ggml_id
        self.block_size = block_size
        self.block_bytes = block_bytes

    @staticmethod
    def from_ggml_id(ggml_id: int) -> TensorType | None:
        """The type with this id in a GGUF file; None if foretell does not read it."""
        return _BY_ID.get(ggml_id)

    def nbytes(self, num_elements: int) -> int:
        """Bytes of `num_elements` elements, a multiple of `block_size`."""
        return num_elements // self.block_size * self.block_bytes


_BY_ID = {kind.ggml_id: kind for kind in TensorType}

UNSUPPORTED_NAMES: dict[int, str] = {
    4: "Q4_2",
    5: "Q4_3",
    9: "Q8_1",
    15: "Q8_K",
    16: "IQ2_XXS",
    17: "IQ2_XS",
    18: "IQ3_XXS",
    19: "IQ1_S",
    21: "IQ3_S",
    22: "IQ2_S",
    24: "I8",
    25: "I16",
    26: "I32",
    27: "I64",
    28: "F64",
    29: "IQ1_M",
    31: "Q4_0_4_4",
    32: "Q4_0_4_8",
    33: "Q4_0_8_8",
    34: "TQ1_0",
    35: "TQ2_0",
    36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8",
    38: "IQ4_NL_8_8",
    39: "MXFP4",
    40: "NVFP4",
    41: "Q1_0",
}
"""ggml's names of the types that foretell does not read, by id: for error messages."""


def type_name(ggml_id: int) -> str:
    """ggml's name of a tensor type, or `type <id>` where none is known."""
    kind = TensorType.from_ggml_id(ggml_id)
    return kind.name if kind else UNSUPPORTED_NAMES.get(ggml_id, f"type {ggml_id}")


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
