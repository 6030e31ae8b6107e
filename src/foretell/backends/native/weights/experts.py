"""The matrices of mixtures of experts, as checkpoints keep them.

A tensor for each expert, as on hubs, or several where others have quantized it; or one for all:
stacked, those of gate and up side by side or in turns, transposed or not, in floats or in MXFP4's
blocks and scales.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.weights.decode import float_bytes
from foretell.backends.native.weights.forms.base import Matrix, by
from foretell.backends.native.weights.quantize import FLOAT_TYPES
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.types import BlockType, TensorType
from foretell.utils.quoting import escape, one_line

T = TypeVar("T")

Find = Callable[[str], str | None]
"""What the checkpoint calls a tensor of this name; None: it is not there."""

FindMatrix = Callable[[str], Matrix | None]
"""The matrix of this name, in floats or quantized by others; None: it is not there."""

DTYPES = {kind.name: kind for kind in FLOAT_TYPES}
MXFP4_GROUP = 32


@dataclass(frozen=True)
class Stack:
    """One tensor `(experts, rows, columns)` that holds the matrices of all experts.

    Attributes:
        name: the tensor's, `{}` for the number of the layer.
        part: which of several matrices, as high as each other, that are in it.
        parts: how many.
        takes_turns: whether their rows do; else one lies after the other.
        transposed: kept as `(experts, columns, rows)`.
    """

    name: str
    part: int = 0
    parts: int = 1
    takes_turns: bool = False
    transposed: bool = False

    def height(self, rows: int) -> int:
        """How high each of its matrices is; all of the rows where they are not alike."""
        return rows if rows % self.parts else rows // self.parts

    def rows_of(self, items: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The rows of its part, the first axis of these, end to end."""
        if self.takes_turns:
            items = items[self.part :: self.parts]
        elif self.parts > 1:
            height = len(items) // self.parts
            items = items[self.part * height : (self.part + 1) * height]
        return np.ascontiguousarray(items).reshape(-1)


@runtime_checkable
class ExpertMatrices(Protocol):
    """Where a weight of all experts lies."""

    @property
    def names(self) -> tuple[str, ...]:
        """All that hold it."""
        ...

    @property
    def kind(self) -> BlockType:
        """The type of its elements."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """`(experts, rows, columns)`."""
        ...

    def tensor(self, expert: int) -> str:
        """The tensor that is blamed for what is wrong with one expert's matrix."""
        ...

    def matrix(self, expert: int) -> NDArray[np.uint8]:
        """The bytes of one expert's matrix."""
        ...


class SeparateMatrices:
    """A tensor for each expert."""

    def __init__(self, checkpoint: Checkpoint, names: tuple[str, ...]) -> None:
        self._checkpoint = checkpoint
        self.names = names

    @property
    def kind(self) -> BlockType:
        """Of the first; all must be alike."""
        return _kind(self._checkpoint, self.names[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first; all must be alike."""
        return (len(self.names), *self._checkpoint.tensors[self.names[0]].shape)

    def tensor(self, expert: int) -> str:
        """Its own."""
        return self.names[expert]

    def matrix(self, expert: int) -> NDArray[np.uint8]:
        """The bytes of one expert's matrix."""
        first, own = (self._checkpoint.tensors[self.names[index]] for index in (0, expert))
        if (first.dtype, first.shape) != (own.dtype, own.shape):
            raise ModelFileError(
                f"{escape(self._checkpoint.path)}: tensor {own.name!r} is not of the type and "
                f"shape of {first.name!r}"
            )
        return self._checkpoint.data(own.name)


class StackedMatrices:
    """One tensor of floats for all experts."""

    def __init__(self, checkpoint: Checkpoint, tensor: str, stack: Stack) -> None:
        self._checkpoint = checkpoint
        self._stack = stack
        self.names = (tensor,)

    @property
    def kind(self) -> BlockType:
        """The type of its elements."""
        return _kind(self._checkpoint, self.names[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """`(experts, rows, columns)` of the weight."""
        stored = self._checkpoint.tensors[self.names[0]].shape
        if len(stored) < 2:  # too few axes: whoever asks says so
            return stored
        experts, *sizes = stored
        rows, *cols = sizes[::-1] if self._stack.transposed else sizes
        return (experts, self._stack.height(rows), *cols)

    def tensor(self, expert: int) -> str:
        """The one for all."""
        return self.names[0]

    def matrix(self, expert: int) -> NDArray[np.uint8]:
        """The bytes of one expert's matrix."""
        stored = self._checkpoint.tensors[self.names[0]].shape
        items = self._checkpoint.data(self.names[0]).reshape(*stored, -1)[expert]
        return self._stack.rows_of(items.swapaxes(0, 1) if self._stack.transposed else items)


class Mxfp4Matrices:
    """Blocks of two 4-bit floats a byte, and a scale for each 32: OCP's MX formats, 2023.

    A byte has two neighbours, the first in its low bits; in a block of GGUF's, values 16 apart.
    """

    def __init__(self, checkpoint: Checkpoint, blocks: str, scales: str, stack: Stack) -> None:
        self._checkpoint = checkpoint
        self._stack = stack
        self.names = (blocks, scales)
        self.kind: BlockType = TensorType.MXFP4
        of_blocks, of_scales = (checkpoint.tensors[name] for name in self.names)
        is_whole = of_blocks.shape == (*of_scales.shape, MXFP4_GROUP // 2)
        are_bytes = of_blocks.dtype == of_scales.dtype == "U8"
        if not is_whole or len(of_scales.shape) != 3 or not are_bytes:
            raise ModelFileError(
                f"{escape(checkpoint.path)}: tensors {blocks!r} and {scales!r} do not fit: must be "
                "bytes, 16 in a block for each scale"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """`(experts, rows, columns)` of the weight."""
        experts, rows, groups = self._checkpoint.tensors[self.names[1]].shape
        return experts, self._stack.height(rows), groups * MXFP4_GROUP

    def tensor(self, expert: int) -> str:
        """That of the blocks of all."""
        return self.names[0]

    def matrix(self, expert: int) -> NDArray[np.uint8]:
        """The bytes of one expert's matrix, as blocks of GGUF's."""
        stored = self._checkpoint.tensors[self.names[1]].shape
        blocks, scales = (self._checkpoint.data(name) for name in self.names)
        pairs = blocks.reshape(*stored, -1)[expert]
        low, high = pairs & 15, pairs >> 4
        codes = np.stack([low, high], axis=-1).reshape(*stored[1:], 2, MXFP4_GROUP // 2)
        rows = np.empty((*stored[1:], TensorType.MXFP4.block_bytes), np.uint8)
        rows[..., 0] = scales.reshape(stored)[expert]
        rows[..., 1:] = codes[..., 0, :] | codes[..., 1, :] << 4
        return self._stack.rows_of(rows)


class QuantizedMatrices:
    """A matrix for each expert, quantized by others.

    Args:
        checkpoint: an open folder.
        matrices: of the experts.
        kind: what they are packed as; None: as they are kept, or in float32 if not all alike.
    """

    def __init__(
        self, checkpoint: Checkpoint, matrices: Sequence[Matrix], kind: BlockType | None = None
    ) -> None:
        self._checkpoint = checkpoint
        self._matrices = matrices
        self._kind = kind
        self.names = tuple(name for one in matrices for name in one.names)

    @cached_property
    def kind(self) -> BlockType:
        """The type of its elements; UnsupportedModelError if their inputs are out of order."""
        for one in self._matrices:
            if one.order is not None:
                raise UnsupportedModelError(
                    f"{escape(self._checkpoint.path_of(one.names[0]))}: tensor {one.names[0]!r} "
                    "has its inputs in an order of its own (act-order), which is not supported of "
                    "experts: give a checkpoint without, or a GGUF file"
                )
        kinds = {one.kind for one in self._matrices}
        return self._kind or (kinds.pop() if len(kinds) == 1 else TensorType.F32)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first; all must be alike."""
        return (len(self._matrices), *self._matrices[0].shape)

    def tensor(self, expert: int) -> str:
        """The first of its own."""
        return self._matrices[expert].names[0]

    def matrix(self, expert: int) -> NDArray[np.uint8]:
        """The bytes of one expert's matrix."""
        first, own = self._matrices[0], self._matrices[expert]
        if own.shape != first.shape:
            raise ModelFileError(
                f"{escape(self._checkpoint.path_of(own.names[0]))}: tensor {own.names[0]!r} makes "
                f"a matrix of {by(own.shape)}, and {first.names[0]!r} one of {by(first.shape)}"
            )
        is_kept = own.kind is self.kind
        return own.blocks() if is_kept else float_bytes(own.values(), TensorType.F32)

    def as_floats(self) -> QuantizedMatrices:
        """The same in float32."""
        return QuantizedMatrices(self._checkpoint, self._matrices, TensorType.F32)


def find_experts(
    checkpoint: Checkpoint,
    find: Find,
    find_matrix: FindMatrix,
    separate: str,
    stacks: tuple[Stack, ...],
) -> ExpertMatrices | None:
    """Where a checkpoint keeps a weight of all experts; None: it does not.

    Args:
        checkpoint: an open folder.
        find: looks a tensor up.
        find_matrix: looks one expert's matrix up, which may be quantized.
        separate: what it calls an expert's tensor, `{}` for its number; empty: there are none such.
        stacks: what it may call one for all instead.
    """
    for stack in stacks:
        tensor, blocks, scales = (find(f"{stack.name}{end}") for end in ("", "_blocks", "_scales"))
        if tensor is not None:
            return StackedMatrices(checkpoint, tensor, stack)
        if blocks is not None and scales is not None:
            return Mxfp4Matrices(checkpoint, blocks, scales, stack)
    if not separate:
        return None
    names = tuple(_until_missing(find, separate))
    if names and checkpoint.tensors[names[0]].dtype in DTYPES:
        return SeparateMatrices(checkpoint, names)
    matrices = tuple(_until_missing(find_matrix, separate))
    return QuantizedMatrices(checkpoint, matrices) if matrices else None


def _until_missing(find: Callable[[str], T | None], name: str) -> Iterator[T]:
    """What is found by this name of expert 0, 1 and so on, until there is none."""
    for expert in count():
        found = find(name.format(expert))
        if found is None:
            return
        yield found


def _kind(checkpoint: Checkpoint, name: str) -> BlockType:
    dtype = checkpoint.tensors[name].dtype
    if dtype not in DTYPES:
        raise UnsupportedModelError(
            f"{escape(checkpoint.path)}: tensor {name!r} is {one_line(dtype, 20)}: must be F32, "
            "F16 or BF16"
        )
    return DTYPES[dtype]
