"""What a way of keeping matrices gives: each as blocks to pack, and as the floats that it means."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelFileError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.types import BlockType
from foretell.utils.quoting import escape, quote

FLOAT_DTYPES = ("F32", "F16", "BF16")
_NUMPY: dict[str, Any] = {
    "F32": np.float32,
    "F16": np.float16,
    "I32": np.uint32,
    "U32": np.uint32,
    "I64": np.int64,
    "I8": np.int8,
    "U8": np.uint8,
    "F8_E4M3": np.uint8,
}


class Matrix(Protocol):
    """One matrix of a checkpoint, `(outputs, inputs)`.

    Attributes:
        names: the tensors that it is made of; the first is blamed for what is wrong.
        shape: rows and columns.
        kind: what it is packed as, unless it is to be quantized.
        order: which input lies at each place of the blocks; None: they come in order.
    """

    @property
    def names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def kind(self) -> BlockType: ...  # noqa: D102
    @property
    def order(self) -> NDArray[np.int32] | None: ...  # noqa: D102

    def blocks(self) -> NDArray[np.uint8]:
        """Its bytes as `kind` has them, row by row."""
        ...

    def values(self) -> NDArray[np.float32]:
        """The floats that it means, inputs in their own order."""
        ...


class Form(Protocol):
    """One way of keeping matrices."""

    def find(self, module: str) -> Matrix | None:
        """The matrix of this module, such as "model.layers.0.mlp.up_proj"; None if it has none.

        ModelFileError if its tensors do not fit together.
        """
        ...


class Tensors:
    """A checkpoint's tensors as arrays, each checked before it is handed out."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def __contains__(self, name: str) -> bool:
        return name in self.checkpoint.tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """How large it is; ModelFileError if it is not there."""
        if name not in self:
            raise ModelFileError(f"{escape(self.checkpoint.path)}: tensor {quote(name)} is missing")
        return self.checkpoint.tensors[name].shape

    def matrix_shape(self, name: str) -> tuple[int, int]:
        """The same of a matrix that is not empty."""
        shape = self.shape(name)
        if len(shape) != 2 or not all(shape):
            self.fail(name, f"is {by(shape)}: must be a matrix")
        return shape[0], shape[1]

    def array(self, name: str, dtypes: tuple[str, ...], shape: tuple[int, ...]) -> NDArray[Any]:
        """Its elements, as they are stored; BF16 as the upper halves of float32."""
        found = self.shape(name)
        dtype = self.checkpoint.tensors[name].dtype
        if dtype not in dtypes:
            self.fail(name, f"is {quote(dtype)}: must be {' or '.join(dtypes)}")
        if found != shape:
            self.fail(name, f"is {by(found)}: must be {by(shape)} to fit the others")
        data = self.checkpoint.data(name)
        found_as: NDArray[Any] = data.view(_NUMPY[dtype])
        return found_as.reshape(shape)

    def floats(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """The elements of a tensor of floats, all of them finite, exactly."""
        dtype = self.checkpoint.tensors[name].dtype if name in self else ""
        if dtype in ("BF16", "F8_E8M0"):
            self.array_shape(name, shape)
            values = _widen(self.checkpoint.data(name), dtype).reshape(shape)
        else:
            with np.errstate(invalid="ignore"):
                values = self.array(name, FLOAT_DTYPES, shape).astype(np.float32)
        if not np.isfinite(values).all():
            self.fail(name, "holds NaN or infinite values")
        return values

    def array_shape(self, name: str, shape: tuple[int, ...]) -> None:
        """ModelFileError unless it is so large."""
        if self.shape(name) != shape:
            self.fail(name, f"is {by(self.shape(name))}: must be {by(shape)} to fit the others")

    def fail(self, name: str, reason: str) -> NoReturn:
        """Raise the ModelFileError that names the tensor and its file."""
        path = self.checkpoint.path_of(name)
        raise ModelFileError(f"{escape(path)}: tensor {quote(name)} {reason}")


def _widen(data: NDArray[np.uint8], dtype: str) -> NDArray[np.float32]:
    """BF16, or powers of two: 2^(byte - 127), NaN for 255."""
    if dtype == "BF16":
        bits = data.view(np.uint16).astype(np.uint32) << np.uint32(16)
        return np.asarray(bits.view(np.float32))
    powers = np.ldexp(np.float32(1), data.astype(np.int32) - 127)
    return np.where(data == 255, np.float32(np.nan), powers).astype(np.float32)


def by(shape: tuple[int, ...]) -> str:
    """A shape in words."""
    return " × ".join(str(size) for size in shape) or "a single number"
