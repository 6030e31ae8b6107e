"""A model's computation, written down once: what `models/*.py` define (row 4 of the design).

A definition calls the methods of `Plan` in order. Each returns a `Value`: rows of activations that
will exist when the plan runs. `compile.py` turns the plan into a program that C++ walks each step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import OpKind


@dataclass(frozen=True)
class Value:
    """Rows of `width` float32: one for each token of the batch, or for each wanted row."""

    index: int
    width: int
    of_wanted: bool


@dataclass(frozen=True)
class Node:
    """One operation: operands and attributes as in csrc/program.h; weights by their names.

    A matrix is expected to be `(matrix_rows, width of the first input)`, or for an embedding
    `(matrix_rows, width of the result)`.
    """

    kind: OpKind
    inputs: tuple[Value | None, ...] = ()
    result: Value | None = None
    matrix: str | None = None
    matrix_rows: int = 0
    vector: str | None = None
    constants: NDArray[np.float32] | None = None
    layer: int = -1
    heads: int = 0
    number: float = 0.0
    interleaved: bool = False


@dataclass(frozen=True)
class Heads:
    """The shape of attention: `query` heads of `dim` values share `kv` key and value heads."""

    query: int
    kv: int
    dim: int


@dataclass(frozen=True)
class Rotation:
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

    def embed(self, weight: str, *, vocab_size: int, width: int) -> Value:
        """Rows of the embedding matrix `(vocab_size, width)`, by token id."""
        out = self._value(width)
        self.nodes.append(Node(OpKind.embed, (), out, matrix=weight, matrix_rows=vocab_size))
        return out

    def rotation(self, frequencies: NDArray[np.float32], *, interleaved: bool) -> Rotation:
        """Rotary position embedding: angle = position * frequency, one for each pair.

        Su et al. 2021, arXiv 2104.09864.
        """
        out = self._value(2 * len(frequencies))
        self.nodes.append(Node(OpKind.rotary, (), out, constants=frequencies))
        return Rotation(out, interleaved)

    def rms_norm(self, x: Value, weight: str, eps: float) -> Value:
        """x / sqrt(mean(x²) + eps) * weight (Zhang & Sennrich 2019, arXiv 1910.07467)."""
        out = self._value(x.width, x.of_wanted)
        self.nodes.append(Node(OpKind.rms_norm, (x,), out, vector=weight, number=eps))
        return out

    def linear(
        self,
        x: Value,
        weight: str,
        width: int,
        *,
        bias: str | None = None,
        residual: Value | None = None,
    ) -> Value:
        """(residual +) (bias +) W x, with W `(width, x.width)`."""
        out = self._value(width, x.of_wanted)
        self.nodes.append(
            Node(OpKind.linear, (x, residual), out, weight, matrix_rows=width, vector=bias)
        )
        return out

    def attention(
        self, q: Value, k: Value, v: Value, heads: Heads, *, layer: int, rotation: Rotation
    ) -> Value:
        """Causal attention over the cache, which first takes up this batch's keys and values.

        softmax(q kᵀ / sqrt(dim)) v for each head, queries and keys rotated.
        """
        angles, interleaved = rotation.angles, rotation.interleaved
        self.nodes.append(
            Node(
                OpKind.store_kv,
                (k, v, angles),
                layer=layer,
                heads=heads.kv,
                interleaved=interleaved,
            )
        )
        turned = self._value(q.width)
        self.nodes.append(
            Node(OpKind.rope, (q, angles), turned, heads=heads.query, interleaved=interleaved)
        )
        out = self._value(q.width)
        scale = heads.dim**-0.5
        self.nodes.append(
            Node(OpKind.attention, (turned,), out, layer=layer, heads=heads.query, number=scale)
        )
        return out

    def silu_mul(self, gate: Value, up: Value) -> Value:
        """silu(gate) * up, the gated unit of SwiGLU (Shazeer 2020, arXiv 2002.05202)."""
        out = self._value(gate.width, gate.of_wanted)
        self.nodes.append(Node(OpKind.silu_mul, (gate, up), out))
        return out

    def wanted_rows(self, x: Value) -> Value:
        """Only the rows whose logits the batch asks for."""
        out = self._value(x.width, of_wanted=True)
        self.nodes.append(Node(OpKind.pick_rows, (x,), out))
        return out

    def _value(self, width: int, of_wanted: bool = False) -> Value:
        self._num_values += 1
        return Value(self._num_values - 1, width, of_wanted)
