"""One GGUF file, versions 2 and 3, read through a memory map: a model, or a part of one.

The layout is ggml's specification (docs/gguf.md): magic, version, two counts, metadata pairs,
tensor descriptions, padding, tensor data; all little-endian. `header.py` reads and checks it.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.formats.header import HeaderReader
from foretell.formats.mapping import forget_pages, mapped_file, unmap, will_need
from foretell.formats.types import TensorInfo
from foretell.utils.quoting import quote

DEFAULT_ALIGNMENT = 32


class GGUFPart:
    """An open file: its metadata, its tensors, and their bytes as views of the map.

    Attributes:
        path: the file.
        version: 2 or 3.
        metadata: values by key: see `GGUFFile`.
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
        self.tensors = reader.tensors(num_tensors, _alignment(reader, self.metadata))
        self._map: mmap.mmap | None = mapped

    @classmethod
    def open(cls, path: Path) -> GGUFPart:
        """Map the file and check everything but the tensors' elements; see `GGUFFile.open`."""
        with mapped_file(path, "a GGUF file", ".gguf") as mapped:
            return cls(path, mapped)

    def data(self, info: TensorInfo) -> NDArray[np.uint8]:
        """The bytes of one of its tensors: a read-only 1-D view of the map, nothing copied."""
        if self._map is None:
            raise ValueError(f"{self.path} is closed")
        return np.frombuffer(self._map, np.uint8, info.nbytes, info.offset)

    def will_need(self, info: TensorInfo) -> None:
        """Let the system read a tensor's bytes ahead."""
        if self._map is not None:
            will_need(self._map, info.offset, info.nbytes)

    def forget_pages(self, info: TensorInfo) -> None:
        """Give the memory of a tensor's pages back; they are read again if they are needed."""
        if self._map is not None:
            forget_pages(self._map, info.offset, info.nbytes)

    def close(self) -> None:
        """Let go of the map. Views that `data` gave stay valid, and keep it until they go."""
        if self._map is not None:
            unmap(self._map)
            self._map = None


def _alignment(reader: HeaderReader, metadata: dict[str, Any]) -> int:
    value = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(value) is not int or value < 1 or value & (value - 1):
        reader.fail("metadata 'general.alignment'", f"{quote(value)} must be a power of two")
    return value
