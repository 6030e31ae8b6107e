"""A model's computation, written down once: what `architectures/*.py` define.

A definition calls the methods of `Plan` in order. Each returns a `Value`: rows of activations that
will exist when the plan runs. `compile.py` turns the plan into a program that C++ walks each step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import OpKind
from foretell.backends.native.weights.source import Part


@dataclass(frozen=True)
class Value:
    """Rows of `width` float32: one for each token of the batch, or for each row of logits."""

    index: int
    width: int
    per_output: bool


@dataclass(frozen=True)
class Node:
    """One operation: operands and attributes as in csrc/program/program.h; weights by name.

    A matrix is expected to be `(matrix_rows, width of the first input)`, or for an embedding
    `(matrix_rows, width of the result)`. `vector` and `bias`, where both are needed, become one
    vector. With a `part`, only that part of matrix and vector is used.
    """

    kind: OpKind
    inputs: tuple[Value | None, ...] = ()
    result: Value | None = None
    matrix: str | None = None
    matrix_rows: int = 0
    vector: str | None = None
    bias: str | None = None
    part: Part | None = None
    constants: NDArray[np.float32] | None = None
    layer: int = -1
    heads: int = 0
    scalar: float = 1.0
    window: int = 0
    interleaved: bool = False


@dataclass(frozen=True)
class Heads:
    """The shape of attention: `query` heads of `dim` values share `kv` key and value heads."""

    query: int
    kv: int
    dim: int


@dataclass(frozen=True)
class RopeTable:
    """The angles of rotary position embedding, and which values of a head make a pair.

    Pairs are neighbours (2i, 2i + 1) if `interleaved`, else (i, i + half).
    """

    angles: Value
    interleaved: bool


class Plan:
    """Collects a model's operations in order."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._num_values = 0

    @property
    def weights(self) -> set[str]:
        """The names of all weights that it takes."""
        names = {name for node in self.nodes for name in (node.matrix, node.vector, node.bias)}
        return {name for name in names if name is not None}

    @property
    def constant_bytes(self) -> int:
        """Bytes of the vectors that it brings itself, no weights."""
        return sum(node.constants.nbytes for node in self.nodes if node.constants is not None)

    @property
    def matrices(self) -> list[str]:
        """The names of all matrices, in the order in which they are first taken."""
        return list(dict.fromkeys(node.matrix for node in self.nodes if node.matrix is not None))

    @property
    def looked_up(self) -> set[str]:
        """The names of the matrices of which rows are taken, and that are part of no product."""
        lookups = (OpKind.embed, OpKind.add_positions)
        products = {node.matrix for node in self.nodes if node.kind not in lookups}
        return set(self.matrices) - products

    @property
    def rotates(self) -> bool:
        """Whether it rotates queries and keys."""
        return any(node.kind == OpKind.rope_table for node in self.nodes)

    def embed(self, weight: str, *, vocab_size: int, width: int, factor: float = 1.0) -> Value:
        """Rows of the matrix `(vocab_size, width)`, by token id, times `factor`."""
        out = self._value(width)
        self.nodes.append(
            Node(OpKind.embed, (), out, matrix=weight, matrix_rows=vocab_size, scalar=factor)
        )
        return out

    def add_positions(self, x: Value, weight: str, *, context_length: int) -> Value:
        """x plus rows of the learned matrix `(context_length, x.width)`, by position."""
        out = self._value(x.width)
        self.nodes.append(
            Node(OpKind.add_positions, (x,), out, matrix=weight, matrix_rows=context_length)
        )
        return out

    def rope_table(self, frequencies: NDArray[np.float32], *, interleaved: bool) -> RopeTable:
        """Rotary position embedding: angle = position * frequency, one for each pair.

        Su et al. 2021, arXiv 2104.09864.
        """
        out = self._value(2 * len(frequencies))
        self.nodes.append(Node(OpKind.rope_table, (), out, constants=frequencies))
        return RopeTable(out, interleaved)

    def rms_norm(
        self, x: Value, weight: str, eps: float, *, heads: int = 1, residual: Value | None = None
    ) -> Value:
        """(residual +) x / sqrt(mean(x²) + eps) * weight, for each head apart.

        Zhang & Sennrich 2019, arXiv 1910.07467.
        """
        out = self._value(x.width, x.per_output)
        self.nodes.append(
            Node(OpKind.rms_norm, (x, residual), out, vector=weight, heads=heads, scalar=eps)
        )
        return out

    def layer_norm(self, x: Value, weight: str, bias: str, eps: float) -> Value:
        """(x - mean(x)) / sqrt(variance(x) + eps) * weight + bias (Ba et al. 2016, 1607.06450)."""
        out = self._value(x.width, x.per_output)
        self.nodes.append(Node(OpKind.layer_norm, (x,), out, vector=weight, bias=bias, scalar=eps))
        return out

    def linear(
        self,
        x: Value,
        weight: str,
        width: int,
        *,
        bias: str | None = None,
        residual: Value | None = None,
        part: Part | None = None,
    ) -> Value:
        """(residual +) (bias +) W x, with W `(width, x.width)`, or that part of weight and bias."""
        out = self._value(width, x.per_output)
        self.nodes.append(
            Node(OpKind.linear, (x, residual), out, weight, width, vector=bias, part=part)
        )
        return out

    def attention(
        self,
        q: Value,
        k: Value,
        v: Value,
        heads: Heads,
        *,
        layer: int,
        rope: RopeTable | None = None,
        scale: float | None = None,
        window: int | None = None,
    ) -> Value:
        """Causal attention over the cache, which first takes up this batch's keys and values.

        softmax(scale q kᵀ) v for each head, queries and keys rotated, if so; a token sees `window`
        positions, its own the last. Not given, the scale is 1 / sqrt(dim), and it sees all.
        """
        angles = rope.angles if rope else None
        interleaved = rope is not None and rope.interleaved
        self.nodes.append(
            Node(
                OpKind.store_kv,
                (k, v, angles),
                layer=layer,
                heads=heads.kv,
                interleaved=interleaved,
            )
        )
        if rope:
            q = self._rotate(q, rope, heads.query)
        out = self._value(q.width)
        self.nodes.append(
            Node(
                OpKind.attention,
                (q,),
                out,
                layer=layer,
                heads=heads.query,
                scalar=heads.dim**-0.5 if scale is None else scale,
                window=window or 0,
            )
        )
        return out

    def _rotate(self, x: Value, rope: RopeTable, heads: int) -> Value:
        out = self._value(x.width)
        inputs = (x, rope.angles)
        self.nodes.append(Node(OpKind.rope, inputs, out, heads=heads, interleaved=rope.interleaved))
        return out

    def silu_mul(self, gate: Value, up: Value) -> Value:
        """silu(gate) * up, the gated unit of SwiGLU (Shazeer 2020, arXiv 2002.05202)."""
        out = self._value(gate.width, gate.per_output)
        self.nodes.append(Node(OpKind.silu_mul, (gate, up), out))
        return out

    def gelu(self, gate: Value, up: Value | None = None) -> Value:
        """gelu(gate) (* up), in the tanh form (Hendrycks & Gimpel 2016, arXiv 1606.08415).

        0.5 x (1 + tanh(sqrt(2 / π) (x + 0.044715 x³))).
        """
        out = self._value(gate.width, gate.per_output)
        self.nodes.append(Node(OpKind.gelu, (gate, up), out))
        return out

    def gather_rows(self, x: Value) -> Value:
        """Only the rows whose logits the batch asks for."""
        out = self._value(x.width, per_output=True)
        self.nodes.append(Node(OpKind.gather_rows, (x,), out))
        return out

    def _value(self, width: int, per_output: bool = False) -> Value:
        self._num_values += 1
        return Value(self._num_values - 1, width, per_output)
