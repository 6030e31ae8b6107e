"""Matrices of a file on their way into a program, packed many at a time.

A call into C++ for each would wait each time for whatever else runs in Python meanwhile, such as
the making of a tokenizer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import Program
from foretell.backends.native.weights.quantize import quantize_rows
from foretell.backends.native.weights.read_ahead import ReadAhead
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.types import BlockType
from foretell.utils.quoting import escape

BATCH_BYTES = 16 << 20
"""Bytes to pack or to check at once: for some hundredths of a second, in which Ctrl-C waits.

A matrix of more bytes is packed in one call; one that stays in its file is checked in several.
"""

OnPacked = Callable[[int], None]
"""Told the bytes in the file of each matrix that is packed, or of some rows checked there."""


@dataclass(frozen=True)
class StoredMatrix:
    """One matrix of a file, for packing and for messages."""

    path: Path
    name: str
    kind: BlockType
    rows: int
    cols: int

    def pack(self, program: Program, data: NDArray[np.uint8], target: BlockType) -> int:
        """Let the file's bytes be packed as `target`, quantized if they are stored otherwise."""
        data = self._convert(data, target)
        with self._blamed():
            return program.add_matrix(target.ggml_id, data, self.rows, self.cols)

    def fill(
        self, program: Program, stack: int, begin: int, data: NDArray[np.uint8], target: BlockType
    ) -> None:
        """The same, into rows of a stack of the program's, from `begin` on."""
        data = self._convert(data, target)
        with self._blamed():
            program.fill(stack, begin, target.ggml_id, data, self.rows)

    def _convert(self, data: NDArray[np.uint8], target: BlockType) -> NDArray[np.uint8]:
        """The bytes as `target`."""
        if target is not self.kind and self.cols % target.block_size:
            raise UnsupportedModelError(
                f"{escape(self.path)}: tensor {self.name!r} has rows of {self.cols} values: to be "
                f"quantized they must be a multiple of {target.block_size}"
            )
        with self._blamed():
            return data if target is self.kind else quantize_rows(data, self.kind, target)

    def leave(self, program: Program, data: NDArray[np.uint8]) -> int:
        """Let the program read rows of the file's bytes, which it keeps; they are not checked."""
        with self._blamed():
            return program.add_file_rows(self.kind.ggml_id, data, self.rows, self.cols)

    def refuse(self) -> NoReturn:
        """Raise the ModelFileError of weights that are not finite."""
        raise self._error("holds NaN or infinite weights")

    def _error(self, reason: object) -> ModelFileError:
        return ModelFileError(f"{escape(self.path)}: tensor {self.name!r} {reason}")

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise self._error(error) from None


@dataclass(frozen=True)
class StoredStack:
    """Matrices that lie one below the other in a program.

    Attributes:
        matrices: from above; all have the same shape.
        data: the bytes of one of them.
        forget: called when all are packed.
    """

    matrices: Sequence[StoredMatrix]
    data: Callable[[int], NDArray[np.uint8]]
    forget: Callable[[], None]


@dataclass(frozen=True)
class _Waiting:
    matrix: StoredMatrix
    num_bytes: int
    in_file: int
    forget: Callable[[], None]


class PackingBatch:
    """Matrices that are packed together once there are enough of them.

    Args:
        on_packed: called after each matrix.
    """

    def __init__(self, on_packed: OnPacked) -> None:
        self._on_packed = on_packed
        self._waiting: list[_Waiting] = []
        self._ahead: ReadAhead | None = None

    def follow(self, ahead: ReadAhead) -> None:
        """Let `ahead` know of what is packed from now on."""
        self._ahead = ahead

    def add(
        self,
        program: Program,
        matrix: StoredMatrix,
        data: NDArray[np.uint8],
        target: BlockType,
        forget: Callable[[], None],
        num_bytes: int | None = None,
    ) -> int:
        """Let a matrix be packed as `target`; return its index in the program.

        Args:
            program: where to.
            matrix: what it is.
            data: its bytes, as they are stored.
            target: the type to pack it in.
            forget: called when it is packed, to let go of the file's pages.
            num_bytes: bytes that it takes in the file, if they are others.
        """
        index = matrix.pack(program, data, target)
        in_file = data.nbytes if num_bytes is None else num_bytes
        self._wait(program, _Waiting(matrix, data.nbytes, in_file, forget))
        return index

    def add_stack(self, program: Program, stack: StoredStack, target: BlockType) -> int:
        """Let the matrices of a stack be packed as `target`; return its index in the program."""
        rows, last = stack.matrices[0].rows, len(stack.matrices) - 1
        height, cols = rows * len(stack.matrices), stack.matrices[0].cols
        index = program.add_stack(target.ggml_id, height, cols)
        for place, matrix in enumerate(stack.matrices):
            data = stack.data(place)
            matrix.fill(program, index, place * rows, data, target)
            forget = stack.forget if place == last else _forget_nothing
            self._wait(program, _Waiting(matrix, data.nbytes, data.nbytes, forget))
        return index

    def _wait(self, program: Program, one: _Waiting) -> None:
        self._waiting.append(one)
        if sum(one.num_bytes for one in self._waiting) >= BATCH_BYTES:
            self.pack(program)

    def pack(self, program: Program) -> None:
        """Pack what waits. ModelFileError if a weight is not finite."""
        damaged = program.pack()
        if damaged >= 0:
            self._waiting[damaged].matrix.refuse()
        for one in self._waiting:
            one.forget()
            self._tell(one.in_file)
        self._waiting.clear()

    def leave(
        self,
        program: Program,
        matrix: StoredMatrix,
        data: NDArray[np.uint8],
        forget: Callable[[], None],
    ) -> int:
        """Let rows of a matrix be looked up where they lie; return its index among those.

        Its rows are checked now: ModelFileError if a weight is not finite. The rest as for `add`.
        """
        index = matrix.leave(program, data)
        row_bytes = data.nbytes // matrix.rows
        step = max(1, BATCH_BYTES // row_bytes)
        for begin in range(0, matrix.rows, step):
            end = min(begin + step, matrix.rows)
            if not program.are_finite(index, begin, end):
                matrix.refuse()
            self._tell((end - begin) * row_bytes)
        forget()
        return index

    def _tell(self, num_bytes: int) -> None:
        """Tell whoever wants to know that so many bytes of the file are done with."""
        if self._ahead is not None:
            self._ahead.packed(num_bytes)
        self._on_packed(num_bytes)


def _forget_nothing() -> None:
    """What is to be done when a matrix is packed whose tensor has more."""
