"""From a plan to a program: weights are packed, values get buffers.

Values that do not live at the same time share a buffer. A value that int8 products read is
quantized once: by the operation that makes it, if that one can, else by an operation of its own.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import OpKind, Program
from foretell.backends.native.nodes import ACTIVATIONS, Node, Table, Value
from foretell.backends.native.plan import Plan
from foretell.backends.native.weights.source import Part, WeightSource

_Weight = tuple[str, Part | None]
LANES = 16
PRODUCTS = (OpKind.linear, OpKind.linear_heads, OpKind.experts, OpKind.combine)
GROUP = 32  # inputs that share one activation scale: csrc/weights/matrix.h
SCRATCH = -1  # the index of a value that lives for one operation


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
        self.products: dict[_Weight, float] = {}
        self.vector_bytes = 0
        self.buffers = _Pool(program.add_buffer)
        self.codes = _Pool(program.add_codes)
        self.last_use: dict[int, int] = {}
        for index, node in enumerate(plan.nodes):
            for value in _present(node):
                self.last_use[value.index] = index
        self.layers_of: dict[int, list[int]] = {}  # those that begin with each value
        for layer, value in plan.layer_inputs().items():
            self.layers_of.setdefault(value.index, []).append(layer)
        self.quantized = {_input(node).index for node in plan.nodes if self._takes_codes(node)}
        products = (node for node in reversed(plan.nodes) if node.kind == OpKind.linear)
        self.output = next(products, None)  # its rows are hidden states, which may be asked for
        self.as_floats = {value.index for node in plan.nodes for value in self._float_inputs(node)}

    def emit(self, index: int, node: Node) -> None:
        """Add one node's operation, with the buffers that it reads and writes."""
        takes_codes = self._takes_codes(node)
        needs_floats = not takes_codes or node is self.output
        inputs = node.inputs if needs_floats else (None, *node.inputs[1:])
        a, b, c = (*(self.buffers.of(value) for value in inputs), -1, -1, -1)[:3]
        codes = self.codes.of(_input(node)) if takes_codes else -1
        out = self.buffers.take(node.result) if node.result and self._makes_floats(node) else -1
        to_quantize = node.result if self._is_quantized(node.result) else None
        if to_quantize and _can_quantize(node):
            codes = self.codes.take(to_quantize)
        if node.kind == OpKind.linear_heads and self._multiplies_int8(node):
            codes = self._scratch_codes(node.heads * _columns(node))
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
            scalar=self._scalar(node),
            window=node.window,
            softcap=node.softcap,
            slopes=self._constants(node.slopes),
            rounds_slopes=node.rounds_slopes,
            interleaved=node.interleaved,
            state=node.state,
            state_size=node.state_size,
            routing=node.routing,
        )
        if to_quantize and not _can_quantize(node):
            self.program.add_op(OpKind.quantize, a=out, codes=self.codes.take(to_quantize))
        for layer in self.layers_of.get(node.result.index, ()) if node.result else ():
            self.program.add_op(OpKind.keep_rows, a=out, layer=layer)
        for value in _present(node):
            if self.last_use[value.index] == index:
                self.buffers.release(value)
                self.codes.release(value)

    def step_bytes(self) -> int:
        """Bytes of all weights that products and norms read in one step."""
        sizes = (
            self.program.matrix_bytes(self.matrices[weight]) * share
            for weight, share in self.products.items()
        )
        return round(sum(sizes)) + self.vector_bytes

    def _scratch_codes(self, width: int) -> int:
        """Codes that an operation makes for itself."""
        scratch = Value(SCRATCH, width, per_output=False)
        codes = self.codes.take(scratch)
        self.codes.release(scratch)
        return codes

    def _takes_codes(self, node: Node) -> bool:
        """Whether another operation quantizes its first input."""
        return node.kind != OpKind.linear_heads and self._multiplies_int8(node)

    def _multiplies_int8(self, node: Node) -> bool:
        if node.kind not in PRODUCTS or node.matrix is None or not self.int8:
            return False
        is_quantized = self.weights.is_quantized(node.matrix, node.part)
        return is_quantized and _columns(node) % GROUP == 0

    def _float_inputs(self, node: Node) -> list[Value]:
        """The values that it reads as floats."""
        first = node.inputs[:1] if self._takes_codes(node) else ()
        return [value for value in node.inputs[len(first) :] if value is not None]

    def _makes_floats(self, node: Node) -> bool:
        """Whether it writes its result as floats; the copies for experts may be codes alone."""
        return node.kind != OpKind.dispatch or _result(node).index in self.as_floats

    def _is_quantized(self, value: Value | None) -> bool:
        return value is not None and value.index in self.quantized

    def _matrix(self, node: Node) -> int:
        if node.matrix is None or node.matrix in self.in_file:
            return -1
        weight = (node.matrix, node.part)
        if node.kind in PRODUCTS:
            self.products[weight] = _share(node)
        if weight not in self.matrices:
            self.matrices[weight] = self._pack(node, node.matrix)
        return self.matrices[weight]

    def _pack(self, node: Node, name: str) -> int:
        rows, cols = node.matrix_rows, _columns(node)
        if node.experts is not None:
            shape = (node.experts, rows, cols)
            return self.weights.pack_experts(self.program, name, shape, node.part)
        if node.kind == OpKind.linear_heads:
            if node.part is None:
                return self.weights.pack_experts(self.program, name, (node.heads, rows, cols))
            rows *= node.heads
        return self.weights.pack(self.program, name, rows, cols, node.part)

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
        if node.kind == OpKind.layer_norm:
            weight = self._weights_of(node, node.vector, 1.0)
            values = np.concatenate([weight, self._weights_of(node, node.bias, 0.0)])
        elif node.tables:
            values = np.concatenate([self._table(table) for table in node.tables])
        elif node.numbers and node.kind != OpKind.scale:
            values = np.concatenate([self.weights.floats(name, 1, 1)[0] for name in node.numbers])
        elif node.vector is not None and node.experts is not None:
            values = self.weights.expert_vectors(node.vector, (node.experts, node.vector_size))
        elif node.vector is not None:
            own = self.weights.vector(node.vector, node.vector_size, node.part)
            values = own if values is None else np.concatenate([values, own])
        elif node.kind == OpKind.rms_norm:
            values = self._weights_of(node, None, 1.0)
        return self._constants(values, _share(node))

    def _scalar(self, node: Node) -> float:
        """Its factor, times the weights that are numbers."""
        if node.kind != OpKind.scale:
            return node.scalar
        return math.prod(
            (float(self.weights.floats(name, 1, 1)[0, 0]) for name in node.numbers),
            start=node.scalar,
        )

    def _constants(self, values: NDArray[np.float32] | None, share: float = 1) -> int:
        """Add these values, of which a token reads a share."""
        if values is None:
            return -1
        self.vector_bytes += round(values.nbytes * share)
        return self.program.add_vector(np.ascontiguousarray(values, np.float32))

    def _weights_of(self, node: Node, name: str | None, otherwise: float) -> NDArray[np.float32]:
        """The vector of this name; one of constants if the node has none."""
        if name is None:
            return np.full(node.vector_size, otherwise, np.float32)
        heads = node.heads if node.vector_size == _result(node).width else 1
        return self.weights.vector(name, node.vector_size, heads=heads)

    def _table(self, table: Table) -> NDArray[np.float32]:
        """Its values as `(channels / 16, columns, 16)`, flat."""
        values = self.weights.floats(table.weight, table.rows, table.columns)
        channels = np.repeat(values, table.repeats, axis=0)
        return channels.reshape(-1, LANES, table.columns).swapaxes(1, 2).reshape(-1)


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
    if node.kind in (OpKind.rms_norm, OpKind.layer_norm):
        return node.heads == 1
    return node.kind in (*ACTIVATIONS, OpKind.clamped_swiglu, OpKind.xielu, OpKind.dispatch)


def _columns(node: Node) -> int:
    """How wide a node's matrix is."""
    if node.columns:
        return node.columns
    width = _input(node).width if node.inputs else _result(node).width
    return width if node.routing is None else width // node.routing.used


def _share(node: Node) -> float:
    """Which part of its weights a token reads."""
    if node.routing is None or node.experts is None:
        return 1
    return node.routing.used / node.experts


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
