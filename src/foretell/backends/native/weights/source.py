"""What a plan asks of a model file: weights by the names that GGUF files give them.

`gguf_weights.py` and `checkpoint_weights.py` give it, with every shape checked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import Program
from foretell.backends.native.weights.experts import Stack

NO_SHARES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Part:
    """Rows of a weight that holds several: from `begin` on, of `total`.

    Where a weight is `groups` alike, as of heads, it is as many rows of each, from `begin` on;
    those of each group transposed, if it `is_transposed`.
    """

    begin: int
    total: int
    groups: int = 1
    is_transposed: bool = False

    def stored_shape(self, rows: int, cols: int) -> tuple[int, int]:
        """The whole weight's, of which `(rows, cols)` are this part."""
        return (self.total, rows // self.groups if self.is_transposed else cols)


@dataclass(frozen=True)
class HFName:
    """What a checkpoint calls a weight, and how it keeps it.

    Attributes:
        name: the tensor's name, `{}` for the number of the layer. A first part `model.` or
            `transformer.` may be missing in the file.
        transposed: kept as `(columns, rows)`, as GPT-2's are.
        plus: what is added to each value of a vector: 1 for norms that are kept around 0.
        negated_log: kept as log(-x), as the rates of state spaces are.
        softplus: kept as what softplus makes the number of.
        stacks: of a weight of all experts: what a tensor for all of them may be called. Then `name`
            is that of an expert's own, with `{}` for its number too; empty if there are none such.
        others: further names that it may have instead, and that are kept alike.
    """

    name: str
    transposed: bool = False
    plus: float = 0.0
    negated_log: bool = False
    softplus: bool = False
    stacks: tuple[Stack, ...] = ()
    others: tuple[str, ...] = ()

    def of_layer(self, layer: str) -> HFName:
        """The names of one layer; an expert's own keeps `{}` for its number."""
        name = self.name.format(layer, "{}") if self.stacks else self.name.format(layer)
        stacks = tuple(replace(one, name=one.name.format(layer)) for one in self.stacks)
        others = tuple(one.format(layer) for one in self.others)
        return replace(self, name=name, stacks=stacks, others=others)


class WeightSource(Protocol):
    """Where the weights that a plan names come from."""

    def unread(self, names: Collection[str], spare: Collection[str] = ()) -> list[str]:
        """The file's tensors that change a model's answers, but are none of these weights'.

        Args:
            names: of the weights.
            spare: of weights that the file may have, and with which nothing is computed.
        """
        ...

    def memory(self, names: Collection[str], transposed: Mapping[str, float] = NO_SHARES) -> int:
        """Bytes that these weights take in a program; those that the file does not have, none.

        Args:
            names: of the weights.
            transposed: the share of a weight of which a transposed part is taken.
        """
        ...

    def is_quantized(self, name: str, part: Part | None = None) -> bool:
        """Whether the matrix, or a part of it, is packed as integer codes.

        A transposed part of a matrix that the file has in blocks is packed as floats.
        """
        ...

    def read_ahead(self, names: Sequence[str]) -> None:
        """Let the system read these matrices, which will be packed in this order."""
        ...

    def input_order(self, name: str) -> NDArray[np.int32] | None:
        """Which input of the matrix lies at each place of its rows; None: they come in order."""
        ...

    def pack(
        self, program: Program, name: str, rows: int, cols: int, part: Part | None = None
    ) -> int:
        """Let the matrix, or a part of it, be packed into the program; return its index there.

        It is packed together with others, by this call, a later one or `pack_rest`.
        """
        ...

    def pack_experts(
        self,
        program: Program,
        name: str,
        shape: tuple[int, int, int],
        part: Part | None = None,
    ) -> int:
        """Let the matrices `(experts, rows, columns)` be packed, one below the other.

        Or that part of each.
        """
        ...

    def expert_vectors(self, name: str, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Vectors `(experts, size)` as float32, end to end."""
        ...

    def pack_rest(self, program: Program) -> None:
        """Pack the matrices that still wait.

        ModelFileError if a weight is not finite: so may `pack`.
        """
        ...

    def stays_in_file(self, name: str) -> bool:
        """Whether rows of the matrix can be looked up where they lie in the file."""
        ...

    def use_in_file(self, program: Program, name: str, rows: int, cols: int) -> int:
        """Let the program look rows up in the file's map, which stays as long as it does.

        Returns the matrix's index among those of the program that lie in files. ModelFileError if
        a weight is not finite, as for `pack`.
        """
        ...

    def vector(
        self, name: str, size: int, part: Part | None = None, heads: int = 1
    ) -> NDArray[np.float32]:
        """A vector, or a part of one, as float32 `(size,)`; of `heads`, a row of the file each."""
        ...

    def floats(self, name: str, rows: int, columns: int) -> NDArray[np.float32]:
        """A small matrix that is part of no product, as float32 `(rows, columns)`.

        The file may keep it with dimensions of one more or less, or as a vector.
        """
        ...
