"""Safetensors files, read through a memory map.

The layout: the header's length (8 bytes, little-endian), a JSON object with each tensor's
dtype, shape and offsets, then the tensors' bytes, end to end. Every number is checked against the
file before it is used.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelFileError
from foretell.formats.json import parse_object
from foretell.formats.mapping import forget_pages, mapped_file, unmap, will_need
from foretell.utils.quoting import escape, quote

MAX_HEADER_BYTES = 1 << 25  # 250,000 tensors; the largest models have a few thousand a file
MAX_DIMENSIONS = 8
ITEM_BITS = {
    **dict.fromkeys(("F64", "I64", "U64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
}
"""Bits of an element by dtype. Of other dtypes only the offsets are checked."""


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a safetensors file: name, dtype as the file spells it, shape and offset.

    `offset` counts bytes from the start of the file.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


class SafetensorsFile:
    """An open safetensors file, and its tensors by name."""

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        self.path = path
        self.tensors = _read_header(path, mapped)
        self._map = mapped

    @classmethod
    def open(cls, path: Path) -> SafetensorsFile:
        """Map the file and check everything but the tensors' elements.

        Raises:
            ModelNotFoundError: nothing lies at `path`.
            ModelFileError: not a safetensors file, unreadable, damaged or cut short.
        """
        with mapped_file(path, "a safetensors file", ".safetensors") as mapped:
            return cls(path, mapped)

    def data(self, name: str) -> NDArray[np.uint8]:
        """The bytes of one tensor: a read-only 1-D view of the map, nothing copied."""
        info = self.tensors[name]
        return np.frombuffer(self._map, np.uint8, info.nbytes, info.offset)

    def will_need(self, name: str) -> None:
        """Let the system read a tensor's bytes ahead."""
        info = self.tensors[name]
        will_need(self._map, info.offset, info.nbytes)

    def forget_pages(self, name: str) -> None:
        """Give the memory of a tensor's pages back; they are read again if they are needed."""
        info = self.tensors[name]
        forget_pages(self._map, info.offset, info.nbytes)

    def close(self) -> None:
        """Let go of the map. Views that `data` gave stay valid, and keep it until they go."""
        unmap(self._map)


def _read_header(path: Path, mapped: mmap.mmap) -> dict[str, StoredTensor]:
    length = int.from_bytes(mapped[:8], "little")
    if len(mapped) < 8 or mapped[8:9] != b"{":
        raise ModelFileError(f"{escape(path)} is {_guess(mapped)}: must be a safetensors file")
    if length > min(MAX_HEADER_BYTES, len(mapped) - 8):
        _fail(
            path,
            f"its header claims {length} bytes: must be at most {MAX_HEADER_BYTES} and lie inside "
            f"the file of {len(mapped)}",
        )
    try:
        text = mapped[8 : 8 + length].decode()
    except UnicodeDecodeError:
        _fail(path, "its header is not UTF-8")
    header = parse_object(text, f"{escape(path)}: the header")
    header.pop("__metadata__", None)
    start = 8 + length
    tensors = {name: _read_tensor(path, name, entry, start) for name, entry in header.items()}
    _check_layout(path, list(tensors.values()), start, len(mapped))
    return tensors


def _read_tensor(path: Path, name: str, entry: Any, start: int) -> StoredTensor:
    part = f"tensor {quote(name)}"
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        _fail(path, f"{part} must have a dtype, a shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str):
        _fail(path, f"{part}: dtype is {quote(dtype)}: must be a string")
    if not _are_sizes(shape) or len(shape) > MAX_DIMENSIONS:
        _fail(path, f"{part}: shape is {quote(shape)}: must be at most 8 sizes")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        _fail(path, f"{part}: data_offsets are {quote(offsets)}: must be begin and end")
    nbytes = offsets[1] - offsets[0]
    bits = ITEM_BITS.get(dtype)
    if bits is not None and nbytes * 8 != prod(shape) * bits:
        _fail(path, f"{part}: shape {tuple(shape)} in {quote(dtype)} does not take {nbytes} bytes")
    return StoredTensor(name, dtype, tuple(shape), start + offsets[0], nbytes)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**48 for n in value)


def _check_layout(path: Path, tensors: list[StoredTensor], start: int, size: int) -> None:
    """The format leaves no hole between tensors, and lets none overlap."""
    end = start
    for info in sorted(tensors, key=lambda info: (info.offset, info.nbytes)):
        if info.offset != end:
            problem = "overlaps another" if info.offset < end else "leaves a hole before it"
            _fail(path, f"tensor {quote(info.name)} {problem}")
        end = info.offset + info.nbytes
        if end > size:
            _fail(path, f"tensor {quote(info.name)} ends at byte {end}, the file has {size}")
    if end != size:
        _fail(path, f"its tensors end at byte {end}, the file has {size}")


def _fail(path: Path, reason: str) -> NoReturn:
    raise ModelFileError(f"{escape(path)} is damaged or cut short: {reason}; fetch the file again")


def _guess(mapped: mmap.mmap) -> str:
    head = mapped[:48]
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer (run `git lfs pull`)"
    if head.startswith((b"PK\x03\x04", b"\x80\x02")):
        return "a pickle, which foretell never opens"
    return f"of another format (it begins with {head[:8]!r})"
