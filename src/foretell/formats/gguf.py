"""GGUF files, versions 2 and 3, read through a memory map.

The layout is ggml's specification (docs/gguf.md): magic, version, two counts, metadata pairs,
tensor descriptions, padding, tensor data; all little-endian. `header.py` reads and checks it.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.header import HeaderReader
from foretell.formats.mapping import forget_pages, mapped_file, unmap
from foretell.formats.types import TensorInfo, TensorType
from foretell.utils.quoting import quote

__all__ = ["GGUFFile", "TensorInfo", "TensorType"]

DEFAULT_ALIGNMENT = 32


class GGUFFile:
    """An open GGUF file: its metadata, its tensors, and their bytes as views of the map.

    Attributes:
        path: the file.
        version: 2 or 3.
        metadata: values by key: int, float, bool, str, or a list of these. Strings are UTF-8, but
            those in lists (token pieces) may hold other bytes, which stand as surrogates:
            `piece.encode("utf-8", "surrogateescape")` gives the file's bytes back.
        tensors: descriptions by name, in the file's order.
    """

    path: Path
    version: int
    metadata: dict[str, Any]
    tensors: dict[str, TensorInfo]

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        reader = HeaderReader(path, mapped)
        self.path = path
        self.version, num_tensors, num_pairs = reader.preamble()
        self.metadata = reader.metadata(num_pairs)
        _refuse_split(path, self.metadata)
        self.tensors = reader.tensors(num_tensors, _alignment(reader, self.metadata))
        self._map: mmap.mmap | None = mapped

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> GGUFFile:
        """Map the file and check everything but the tensors' elements.

        Raises:
            ModelNotFoundError: nothing lies at `path`.
            ModelFileError: not a GGUF file, unreadable, damaged or cut short.
            UnsupportedModelError: big-endian, split, another version, or a tensor type that
                foretell does not read.
        """
        path = Path(path)
        with mapped_file(path, "a GGUF file", ".gguf") as mapped:
            return cls(path, mapped)

    def data(self, name: str) -> NDArray[np.uint8]:
        """The bytes of one tensor: a read-only 1-D view of the map, nothing copied.

        Raises ModelFileError if the file has no such tensor, ValueError if it is closed.
        """
        info = self.tensors.get(name)
        if info is None:
            raise ModelFileError(
                f"{self.path}: no tensor {quote(name)} among its {len(self.tensors)}"
            )
        if self._map is None:
            raise ValueError(f"{self.path} is closed")
        return np.frombuffer(self._map, np.uint8, info.nbytes, info.offset)

    def forget_pages(self, name: str) -> None:
        """Give the memory of a tensor's pages back; they are read again if they are needed."""
        info = self.tensors[name]
        if self._map is not None:
            forget_pages(self._map, info.offset, info.nbytes)

    def close(self) -> None:
        """Let go of the map. Views that `data` gave stay valid, and keep it until they go."""
        if self._map is not None:
            unmap(self._map)
            self._map = None

    def __enter__(self) -> GGUFFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _refuse_split(path: Path, metadata: dict[str, Any]) -> None:
    count = metadata.get("split.count")
    if isinstance(count, int) and count > 1:
        raise UnsupportedModelError(
            f"{path} is one of {count} parts of a split model: "
            f"merge them first with `llama-gguf-split --merge`"
        )


def _alignment(reader: HeaderReader, metadata: dict[str, Any]) -> int:
    value = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(value) is not int or value < 1 or value & (value - 1):
        reader.fail("metadata 'general.alignment'", f"{quote(value)} must be a power of two")
    return value
