"""What a plan is made of: its operations, the values between them, and what follows from both.

`plan.py` writes them down, `compile.py` turns them into a program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import OpKind, Routing
from foretell.backends.native.weights.source import Part

ACTIVATIONS = (
    OpKind.silu_mul,
    OpKind.gelu,
    OpKind.gelu_erf,
    OpKind.relu,
    OpKind.relu_squared,
    OpKind.sigmoid,
)


@dataclass(frozen=True)
class Value:
    """Rows of `width` float32: one for each token of the batch, or for each row of logits."""

    index: int
    width: int
    per_output: bool


@dataclass(frozen=True)
class Table:
    """A weight of `columns` floats a channel, laid for sixteen channels side by side.

    `repeats`: how many neighbouring channels share a row of the weight.
    """

    weight: str
    rows: int
    columns: int = 1
    repeats: int = 1


@dataclass(frozen=True)
class Node:
    """One operation: operands and attributes as in csrc/program/program.h; weights by name.

    A matrix is expected to be `(matrix_rows, width of the first input)`, or for an embedding
    `(matrix_rows, width of the result)`; experts' is `(experts, matrix_rows, width of a row)`,
    heads' own are `(heads, matrix_rows, columns)`.
    `vector` and `bias` have `vector_size` values each; ones and zeros take the place of those that
    a norm has not. `tables` become one vector, and so do `numbers`, weights of a single value each.
    With a `part`, only that part of matrix and vector is used.
    """

    kind: OpKind
    inputs: tuple[Value | None, ...] = ()
    result: Value | None = None
    matrix: str | None = None
    matrix_rows: int = 0
    columns: int = 0
    vector: str | None = None
    vector_size: int = 0
    bias: str | None = None
    part: Part | None = None
    constants: NDArray[np.float32] | None = None
    layer: int = -1
    heads: int = 0
    scalar: float = 1.0
    window: int = 0
    softcap: float = 0.0
    slopes: NDArray[np.float32] | None = None
    rounds_slopes: bool = False
    interleaved: bool = False
    tables: tuple[Table, ...] = ()
    numbers: tuple[str, ...] = ()
    state: int = -1
    state_size: int = 0
    routing: Routing | None = None

    @property
    def experts(self) -> int | None:
        """How many experts' matrices, `matrix_rows` high each, are in its matrix; None: no such."""
        if self.routing is None or self.kind == OpKind.route:
            return None
        return self.routing.experts

    @property
    def constant_bytes(self) -> int:
        """Bytes of the vectors that the plan brings itself, no weights."""
        if self.kind == OpKind.layer_norm:
            return 4 * self.vector_size * (self.vector, self.bias).count(None)
        if self.kind == OpKind.rms_norm and self.vector is None:
            return 4 * self.vector_size
        return sum(
            brought.nbytes for brought in (self.constants, self.slopes) if brought is not None
        )


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


@dataclass(frozen=True)
class Scores:
    """How a layer's attention scores positions: scale · query · key, and what is done to that.

    Attributes:
        scale: None: 1 / sqrt(dim).
        window: how many positions a token sees, its own the last; None: all.
        softcap: scores are bent within: softcap * tanh(score / softcap); 0: they are not.
        slopes: `(query heads,)`: a head's scores gain slope * (position - the token's) (Press et
            al. 2021, arXiv 2108.12409).
        rounds_slopes: they gain scale * slope * position instead, slope, position and their
            product each rounded to bfloat16.
        sinks: the name of a vector of scores, one a query head, that take part in the softmax and
            have no value.
    """

    scale: float | None = None
    window: int | None = None
    softcap: float = 0.0
    slopes: NDArray[np.float32] | None = None
    rounds_slopes: bool = False
    sinks: str | None = None


def _layer_of(node: Node) -> int | None:
    """The number of the layer whose weights an operation takes: that of `blk.<number>.…`."""
    name = node.matrix or node.vector or ""
    number = name.removeprefix("blk.").partition(".")[0]
    return int(number) if name.startswith("blk.") and number.isdecimal() else None


class Operations:
    """A model's operations, in order, and what they take."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._num_values = 0
        self._kv_layers: dict[int, tuple[int, Heads]] = {}
        self.beside: set[int] = set()
        """Values that layers take beside what the one before them gave, by number."""
        self.spare: set[str] = set()
        """Weights that files may have and that nothing is computed with."""
        self.state_size = 0
        """Floats of the state that its layers keep of a sequence."""

    def _value(self, width: int, per_output: bool = False) -> Value:
        self._num_values += 1
        return Value(self._num_values - 1, width, per_output)

    @property
    def kv_layers(self) -> tuple[Heads, ...]:
        """The heads of each layer that has keys and values in the cache."""
        return tuple(heads for _, heads in self._kv_layers.values())

    @property
    def weights(self) -> set[str]:
        """The names of all weights that it takes."""
        names = {name for node in self.nodes for name in (node.matrix, node.vector, node.bias)}
        names |= {table.weight for node in self.nodes for table in node.tables}
        names |= {number for node in self.nodes for number in node.numbers}
        return {name for name in names if name is not None}

    @property
    def transposed(self) -> dict[str, float]:
        """The matrices of which it takes a transposed part, and which share of them that is."""
        return {
            node.matrix: node.heads * node.columns / node.part.total
            for node in self.nodes
            if node.matrix is not None and node.part is not None and node.part.is_transposed
        }

    @property
    def constant_bytes(self) -> int:
        """Bytes of the vectors that it brings itself, no weights."""
        return sum(node.constant_bytes for node in self.nodes)

    @property
    def matrices(self) -> list[str]:
        """The names of all matrices, in the order in which they are first taken."""
        return list(dict.fromkeys(node.matrix for node in self.nodes if node.matrix is not None))

    @property
    def looked_up(self) -> set[str]:
        """The names of the matrices of which rows are taken, and that are part of no product.

        Whole ones alone: parts are packed.
        """
        lookups = (OpKind.embed, OpKind.add_positions)
        packed = {node.matrix for node in self.nodes if node.kind not in lookups or node.part}
        return set(self.matrices) - packed

    @property
    def rotates(self) -> bool:
        """Whether it rotates queries and keys."""
        return any(node.kind == OpKind.rope_table for node in self.nodes)

    @property
    def output(self) -> Node:
        """The product that makes the logits."""
        return next(node for node in reversed(self.nodes) if node.kind == OpKind.linear)

    @property
    def ties_embeddings(self) -> bool:
        """Whether tokens' values are read from the matrix of which logits are made."""
        return self.nodes[0].matrix == self.output.matrix

    def layer_inputs(self) -> dict[int, Value]:
        """The rows that each layer begins with.

        Before its first operation these are all that is left to compute with, but for tables: the
        last value of which that holds, when a weight of its own is taken. What is `beside` is not.
        """
        last_use = {
            value.index: place
            for place, node in enumerate(self.nodes)
            for value in node.inputs
            if value is not None
        }
        found: dict[int, Value] = {}
        alive: dict[int, Value] = {}
        alone: Value | None = None
        for place, node in enumerate(self.nodes):
            layer = _layer_of(node)
            if layer is not None and alone is not None:
                found.setdefault(layer, alone)
            is_row = node.kind != OpKind.rope_table
            if node.result is not None and is_row and node.result.index not in self.beside:
                alive[node.result.index] = node.result
            alive = {
                index: value for index, value in alive.items() if last_use.get(index, -1) > place
            }
            if len(alive) == 1:
                (alone,) = alive.values()
        return found
