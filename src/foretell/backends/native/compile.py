"""From a plan to a program: weights are packed, values get buffers.

Values that do not live at the same time share a buffer. A value that int8 products read is
quantized once: by the operation that makes it, if that one can, else by an operation of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np

from foretell.backends.native._core import OpKind, Program
from foretell.backends.native.plan import Node, Plan, Value
from foretell.backends.native.weights.source import Part, WeightSource

_Weight = tuple[str, Part | None]
GROUP = 32  # inputs that share one activation scale: csrc/weights/matrix.h


class Compiled(NamedTuple):
    """What became of a plan.

    Attributes:
        weight_bytes: bytes of weights that a decode step reads.
        takes_int8: whether any product takes its activations as int8.
    """

    weight_bytes: int
    takes_int8: bool


def compile_plan(
    plan: Plan, weights: WeightSource, program: Program, *, in_file: Collection[str], int8: bool
) -> Compiled:
    """Fill `program` from `plan`.

    Matrices that are `in_file` are looked up where they lie there. With `int8`, products of
    quantized weights take their activations as int8 (the fast way); without, as float32.
    """
    weights.read_ahead(plan.matrices)
    compiler = _Compiler(plan, weights, program, in_file, int8)
    for index, node in enumerate(plan.nodes):
        compiler.emit(index, node)
    weights.pack_rest(program)
    program.finish()
    return Compiled(compiler.step_bytes(), bool(compiler.quantized))


class _Compiler:
    def __init__(
        self,
        plan: Plan,
        weights: WeightSource,
        program: Program,
        in_file: Collection[str],
        int8: bool,
    ) -> None:
        self.weights = weights
        self.program = program
        self.int8 = int8
        self.matrices: dict[_Weight, int] = {}
        self.file_rows: dict[str, int] = {}
        self.in_file = in_file
        self.products: set[_Weight] = set()
        self.vector_bytes = 0
        self.buffers = _Pool(program.add_buffer)
        self.codes = _Pool(program.add_codes)
        self.last_use: dict[int, int] = {}
        for index, node in enumerate(plan.nodes):
            for value in _present(node):
                self.last_use[value.index] = index
        self.quantized = {_input(node).index for node in plan.nodes if self._takes_codes(node)}

    def emit(self, index: int, node: Node) -> None:
        """Add one node's operation, with the buffers that it reads and writes."""
        a, b, c = (*(self.buffers.of(value) for value in node.inputs), -1, -1, -1)[:3]
        codes = self.codes.of(_input(node)) if self._takes_codes(node) else -1
        out = self.buffers.take(node.result) if node.result else -1
        to_quantize = node.result if self._is_quantized(node.result) else None
        if to_quantize and _can_quantize(node):
            codes = self.codes.take(to_quantize)
        self.program.add_op(
            node.kind,
            a=a,
            b=b,
            c=c,
            out=out,
            codes=codes,
            matrix=self._matrix(node),
            file_rows=self._file_rows(node),
            vector=self._vector(node),
            layer=node.layer,
            heads=node.heads,
            scalar=node.scalar,
            window=node.window,
            interleaved=node.interleaved,
        )
        if to_quantize and not _can_quantize(node):
            self.program.add_op(OpKind.quantize, a=out, codes=self.codes.take(to_quantize))
        for value in _present(node):
            if self.last_use[value.index] == index:
                self.buffers.release(value)
                self.codes.release(value)

    def step_bytes(self) -> int:
        """Bytes of all weights that products and norms read in one step."""
        sizes = (self.program.matrix_bytes(self.matrices[weight]) for weight in self.products)
        return sum(sizes) + self.vector_bytes

    def _takes_codes(self, node: Node) -> bool:
        if node.kind != OpKind.linear or node.matrix is None or not self.int8:
            return False
        return self.weights.is_quantized(node.matrix) and _input(node).width % GROUP == 0

    def _is_quantized(self, value: Value | None) -> bool:
        return value is not None and value.index in self.quantized

    def _matrix(self, node: Node) -> int:
        if node.matrix is None or node.matrix in self.in_file:
            return -1
        weight = (node.matrix, node.part)
        if node.kind == OpKind.linear:
            self.products.add(weight)
        if weight not in self.matrices:
            self.matrices[weight] = self.weights.pack(
                self.program, node.matrix, node.matrix_rows, _columns(node), node.part
            )
        return self.matrices[weight]

    def _file_rows(self, node: Node) -> int:
        """The matrix that stays in its file, if this is one."""
        name = node.matrix
        if name is None or name not in self.in_file:
            return -1
        if name not in self.file_rows:
            self.file_rows[name] = self.weights.use_in_file(
                self.program, name, node.matrix_rows, _columns(node)
            )
        return self.file_rows[name]

    def _vector(self, node: Node) -> int:
        values = node.constants
        if node.vector is not None:
            size = _result(node).width // max(node.heads, 1)
            values = self.weights.vector(node.vector, size, node.part)
            if node.bias is not None:
                values = np.concatenate([values, self.weights.vector(node.bias, size)])
        if values is None:
            return -1
        self.vector_bytes += values.nbytes
        return self.program.add_vector(np.ascontiguousarray(values, np.float32))


class _Pool:
    """Buffers of one kind: which value has which, and which are free, oldest first.

    The oldest comes first because threads must wait for each other before a buffer that was just
    read is written again.
    """

    def __init__(self, make: Callable[[int, bool], int]) -> None:
        self._make = make
        self._of: dict[int, int] = {}
        self._free: dict[tuple[int, bool], deque[int]] = {}

    def of(self, value: Value | None) -> int:
        return -1 if value is None else self._of[value.index]

    def take(self, value: Value) -> int:
        free = self._free.get((value.width, value.per_output))
        buffer = free.popleft() if free else self._make(value.width, value.per_output)
        self._of[value.index] = buffer
        return buffer

    def release(self, value: Value) -> None:
        buffer = self._of.pop(value.index, None)
        if buffer is not None:
            self._free.setdefault((value.width, value.per_output), deque()).append(buffer)


def _can_quantize(node: Node) -> bool:
    """Whether the operation's threads each make whole groups of its result."""
    if node.kind == OpKind.attention:
        return _result(node).width // node.heads % GROUP == 0
    if node.kind == OpKind.rms_norm:
        return node.heads == 1
    return node.kind in (OpKind.layer_norm, OpKind.silu_mul, OpKind.gelu)


def _columns(node: Node) -> int:
    """How wide a node's matrix is."""
    return _input(node).width if node.inputs else _result(node).width


def _present(node: Node) -> list[Value]:
    return [value for value in node.inputs if value is not None]


def _input(node: Node) -> Value:
    value = node.inputs[0]
    if value is None:
        raise ValueError(f"{node.kind} has no first operand")
    return value


def _result(node: Node) -> Value:
    if node.result is None:
        raise ValueError(f"{node.kind} has no result")
    return node.result
