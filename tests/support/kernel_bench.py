"""A bench for single kernels: a small program whose inputs are the rows of embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretell.backends.native import _core
from foretell.backends.native._core import KvType, OpKind, Program
from foretell.formats.types import TensorType

ISAS = tuple(_core.instruction_sets())
UNIT = 2.0**-24  # the relative error of one float32 rounding


@dataclass(frozen=True)
class Cache:
    """The shape of a one-layer KV cache, and how many floats of a state a block has."""

    kv_heads: int = 1
    head_dim: int = 16
    block_size: int = 16
    num_blocks: int = 1
    kv_dtype: str = "float32"
    state_size: int = 0


NO_CACHE = Cache()


def bits(values: np.ndarray) -> np.ndarray:
    """The bits of float32 values: equal only where they are the same to the last one."""
    return np.ascontiguousarray(values, np.float32).view(np.uint32)


def make_program(isa: str, *, threads: int = 1, rows: int = 1, cache: Cache = NO_CACHE) -> Program:
    """An empty program for batches of up to `rows` tokens."""
    return Program(
        isa,
        threads=threads,
        max_tokens=rows,
        kv_layers=[(cache.kv_heads, cache.head_dim)],
        block_size=cache.block_size,
        num_blocks=cache.num_blocks,
        kv_type=KvType[cache.kv_dtype],
        state_size=cache.state_size,
    )


def int32(values: Any) -> np.ndarray:
    return np.ascontiguousarray(values, np.int32)


class Bench:
    """Builds a program of `rows` input rows; token n of a batch brings row n of every input."""

    def __init__(
        self, isa: str, rows: int, *, threads: int = 1, cache: Cache = NO_CACHE, room: int = 0
    ) -> None:
        self.rows = rows
        self.program = make_program(isa, threads=threads, rows=max(rows, room), cache=cache)

    def input(self, values: np.ndarray) -> int:
        """A buffer that holds `values` `(rows, width)`, exactly."""
        rows, width = values.shape
        assert rows == self.rows
        matrix = self.matrix(TensorType.F32, values.astype(np.float32), width)
        return self.op(OpKind.embed, width, matrix=matrix)

    def matrix(self, kind: TensorType, data: np.ndarray, cols: int) -> int:
        """A packed matrix from a tensor's bytes, a row a line."""
        flat = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
        return self.program.add_matrix(kind.ggml_id, flat, len(data), cols)

    def vector(self, values: np.ndarray | None) -> int:
        if values is None:
            return -1
        return self.program.add_vector(np.ascontiguousarray(values, np.float32))

    def op(self, kind: OpKind, width: int, **operands: Any) -> int:
        """Add an operation; return the buffer that it writes."""
        out = self.program.add_buffer(width, False)
        self.program.add_op(kind, out=out, **operands)
        return out

    def quantize(self, a: int, width: int) -> int:
        """Add a quantization of buffer `a`; return its code buffer."""
        codes = self.program.add_codes(width, False)
        self.program.add_op(OpKind.quantize, a=a, codes=codes)
        return codes

    def finish(self, out: int, width: int) -> Bench:
        """End the program with buffer `out`."""
        assert self.program.pack() == -1
        gathered = self.program.add_buffer(width, True)
        self.program.add_op(OpKind.gather_rows, a=out, out=gathered)
        self.program.finish()
        return self

    def run(self, rows: Any = None) -> np.ndarray:
        """Results for these input rows (all, if not given), at positions 0, 1, ..."""
        rows = np.arange(self.rows) if rows is None else np.asarray(rows)
        return self.forward([(rows, 0, [0] * (len(rows) // 16 + 1))])

    def forward(self, pieces: list[tuple[Any, int, list[int]]]) -> np.ndarray:
        """Results for pieces of sequences: (input rows, first position, block table)."""
        width = max(len(table) for _, _, table in pieces)
        lengths = [len(rows) for rows, _, _ in pieces]
        tables = [table + [0] * (width - len(table)) for _, _, table in pieces]
        return self.program.forward(
            int32(np.concatenate([rows for rows, _, _ in pieces])),
            int32(np.concatenate([at + np.arange(len(rows)) for rows, at, _ in pieces])),
            int32(np.cumsum([0, *lengths])),
            int32(tables),
            int32(np.arange(sum(lengths))),
        ).copy()
