"""Matrices of floats, as they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.weights.quantize import to_float32
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.types import TensorType

CHECKPOINT_TYPES = {"F32": TensorType.F32, "F16": TensorType.F16, "BF16": TensorType.BF16}


class PlainMatrix:
    """A tensor of floats, which may lie transposed, as GPT-2's do.

    Attributes:
        transposed: whether it does.
    """

    order = None

    def __init__(self, checkpoint: Checkpoint, name: str, *, transposed: bool) -> None:
        self._checkpoint = checkpoint
        self.transposed = transposed
        self.names = (name,)
        info = checkpoint.tensors[name]
        self.shape = info.shape[::-1] if transposed else info.shape
        self.kind = CHECKPOINT_TYPES[info.dtype]

    def blocks(self) -> NDArray[np.uint8]:
        """The bytes: a view of the file's, if it is not transposed."""
        data = self._checkpoint.data(self.names[0])
        if not self.transposed:
            return data
        items = data.reshape(*self.shape[::-1], -1)
        return np.ascontiguousarray(items.swapaxes(0, 1)).reshape(-1)

    def values(self) -> NDArray[np.float32]:
        """The elements in float32."""
        return to_float32(self.blocks(), self.kind).reshape(self.shape)
