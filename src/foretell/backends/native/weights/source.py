"""Row 4 of the design, weights: what a plan asks of a model file, with every shape checked."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import Program
from foretell.backends.native.weights.gguf import GGUFFile
from foretell.backends.native.weights.types import TensorInfo, TensorType
from foretell.errors import ModelFileError

FLOAT_TYPES = (TensorType.F32, TensorType.F16, TensorType.BF16)


class WeightSource(Protocol):
    """Where the weights that a plan names come from."""

    def is_quantized(self, name: str) -> bool:
        """Whether the matrix is stored as integer codes."""
        ...

    def pack(self, program: Program, name: str, rows: int, cols: int) -> int:
        """Pack the matrix into the program; return its index there."""
        ...

    def vector(self, name: str, size: int) -> NDArray[np.float32]:
        """A vector as float32 `(size,)`."""
        ...


class GGUFWeights:
    """The tensors of a GGUF file. Any that a plan names must be there, in the shape it expects."""

    def __init__(self, file: GGUFFile) -> None:
        self._file = file

    def rows(self, name: str) -> int:
        """How many rows the matrix has."""
        return self._info(name).shape[0]

    def is_quantized(self, name: str) -> bool:
        """Whether the matrix is stored as integer codes."""
        return self._info(name).type not in FLOAT_TYPES

    def pack(self, program: Program, name: str, rows: int, cols: int) -> int:
        """Pack the matrix into the program; return its index there.

        The file's pages are given back to the system once they are copied, so that a model does
        not lie in memory twice.
        """
        info = self._checked(name, (rows, cols))
        try:
            index = program.add_matrix(info.type.ggml_id, self._file.data(name), rows, cols)
        except ValueError as error:
            raise ModelFileError(f"{self._file.path}: tensor {name!r} {error}") from None
        self._file.forget_pages(name)
        return index

    def vector(self, name: str, size: int) -> NDArray[np.float32]:
        """A vector as float32 `(size,)`."""
        info = self._checked(name, (size,))
        if info.type not in (TensorType.F32, TensorType.F16):
            raise ModelFileError(
                f"{self._file.path}: tensor {name!r} is {info.type.name}: "
                f"a vector must be F32 or F16"
            )
        dtype = np.float32 if info.type is TensorType.F32 else np.float16
        values = self._file.data(name).view(dtype).astype(np.float32)
        if not np.isfinite(values).all():
            raise ModelFileError(
                f"{self._file.path}: tensor {name!r} holds NaN or infinite weights"
            )
        return values

    def _info(self, name: str) -> TensorInfo:
        info = self._file.tensors.get(name)
        if info is None:
            raise ModelFileError(f"{self._file.path}: tensor {name!r} is missing")
        return info

    def _checked(self, name: str, shape: tuple[int, ...]) -> TensorInfo:
        info = self._info(name)
        if info.shape != shape:
            raise ModelFileError(
                f"{self._file.path}: tensor {name!r} is {_by(info.shape)}, "
                f"where the metadata asks for {_by(shape)}"
            )
        return info


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(str(size) for size in shape)
