"""Arrays of the kind that the user gave: torch tensors, numpy arrays or lists.

torch is never imported: a tensor makes tensors like itself.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Arrays(Protocol):
    """Makes arrays of one kind, on one device."""

    def ids(self, values: list[Any]) -> Any:
        """Token ids, of any shape."""
        ...

    def indices(self, values: list[Any]) -> Any:
        """Small integers, int32 where there are types."""
        ...

    def floats(self, values: NDArray[np.float32]) -> Any:
        """A float32 array; the values are copied."""
        ...


class Lists:
    """Nested lists of ids, and numpy arrays of floats."""

    def ids(self, values: list[Any]) -> Any:
        """The list."""
        return values

    indices = ids

    def floats(self, values: NDArray[np.float32]) -> Any:
        """A numpy array."""
        return values.copy()


class NumpyArrays:
    """numpy arrays; ids are of `dtype`."""

    def __init__(self, dtype: DTypeLike = np.int64) -> None:
        self._dtype = dtype

    def ids(self, values: list[Any]) -> Any:
        """Ids of the inputs' type."""
        return np.array(values, dtype=self._dtype)

    def indices(self, values: list[Any]) -> Any:
        """int32."""
        return np.array(values, dtype=np.int32)

    def floats(self, values: NDArray[np.float32]) -> Any:
        """float32."""
        return values.copy()


class Tensors:
    """torch tensors like a given one: ids have its type, all are on its device."""

    def __init__(self, like: Any) -> None:
        self._like = like

    def ids(self, values: list[Any]) -> Any:
        """Ids of the inputs' type, on their device."""
        return self._like.new_tensor(values)

    def indices(self, values: list[Any]) -> Any:
        """int32."""
        return self._like.new_tensor(values).int()

    def floats(self, values: NDArray[np.float32]) -> Any:
        """float32."""
        return self._like.new_empty(0).float().new_tensor(values)


def arrays_like(inputs: Any) -> Arrays:
    """What makes arrays of the kind of these inputs."""
    if is_tensor(inputs):
        return Tensors(inputs)
    return NumpyArrays(inputs.dtype) if isinstance(inputs, np.ndarray) else Lists()


def tensors_on(device: Any) -> Arrays:
    """What makes tensors of int64 ids on a device, for a model that torch runs."""
    torch: Any = sys.modules["torch"]
    return Tensors(torch.empty(0, dtype=torch.int64, device=device))


def arrays_for_functions(arrays: Arrays | None = None) -> Arrays:
    """What users' functions and streamers are given: tensors wherever torch is in use.

    `arrays` are those of the user's own inputs, where there are some.
    """
    if isinstance(arrays, Tensors):
        return arrays
    return tensors_on("cpu") if sys.modules.get("torch") else NumpyArrays()


def is_tensor(value: Any) -> bool:
    """Whether it is a torch tensor."""
    return hasattr(value, "new_tensor")


def to_host(value: Any) -> Any:
    """The same in the CPU's memory."""
    return value.cpu() if is_tensor(value) else value


def to_numpy(value: Any) -> NDArray[Any]:
    """The same as a numpy array."""
    if not is_tensor(value):
        return np.asarray(value)
    host = value.detach().cpu()
    return np.asarray(host.float() if host.is_floating_point() else host)  # numpy has no bfloat16


def to_plain(value: Any) -> Any:
    """A tensor or an array as nested lists, or as a number; anything else as it is."""
    has_list = is_tensor(value) or isinstance(value, (np.ndarray, np.generic))
    return value.tolist() if has_list else value
