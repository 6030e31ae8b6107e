"""The header of a GGUF file, read once, every step checked.

A file is never trusted. Each count, length, offset and size is checked against the file before it
is used, the header may take at most `MAX_HEADER_BYTES`, and nothing is allocated for a number that
the file's own bytes do not back.
"""

from __future__ import annotations

import mmap
import struct
from math import prod
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.types import TensorInfo, TensorType, describe_refused
from foretell.utils.quoting import escape, quote

MAX_HEADER_BYTES = 1 << 26  # metadata and tensor descriptions; the largest vocabularies take 1/8
MAX_ELEMENTS = 1 << 22  # array elements in all the metadata; large vocabularies have 1/3
MAX_ENTRIES = 1 << 16  # metadata pairs, and tensors
MAX_KEY_BYTES = (1 << 16) - 1  # the specification's limit
MAX_NESTING = 4  # arrays within arrays
MAX_DIMENSIONS = 4
SUPPORTED_VERSIONS = (2, 3)

_STRING, _ARRAY, _BOOL = 8, 9, 7
_NUMBERS: dict[int, np.dtype[Any]] = {
    value_type: np.dtype(code)
    for value_type, code in {
        0: "<u1",
        1: "<i1",
        2: "<u2",
        3: "<i2",
        4: "<u4",
        5: "<i4",
        6: "<f4",
        _BOOL: "<u1",
        10: "<u8",
        11: "<i8",
        12: "<f8",
    }.items()
}
_FEWEST_BYTES = {_STRING: 8, _ARRAY: 12} | {key: kind.itemsize for key, kind in _NUMBERS.items()}

_OTHER_FORMATS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive (a PyTorch checkpoint?)"),
    (b"\x80\x02", "a pickle, which foretell never opens"),
    (b"<", "an HTML or XML page (a failed download?)"),
    (b"{", "JSON"),
    (b"version https://git-lfs", "a Git LFS pointer: run `git lfs pull`"),
    (b"lmgg", "a GGML file of 2023"),
    (b"fmgg", "a GGML file of 2023"),
    (b"tjgg", "a GGML file of 2023"),
)

_unpack_u64 = struct.Struct("<Q").unpack_from


class HeaderReader:
    """Walks the header once, front to back; every step checks that its bytes are there."""

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        self.path = path
        self.mapped = mapped
        self.size = len(mapped)
        self.limit = min(self.size, MAX_HEADER_BYTES)
        self.position = 0
        self.elements_left = MAX_ELEMENTS

    def fail(self, part: str, reason: str) -> NoReturn:
        """Raise the ModelFileError that names the file, the part and the reason."""
        raise ModelFileError(
            f"{escape(self.path)} is damaged or cut short: {part}: {reason}; fetch the file again"
        )

    def need(self, num_bytes: int, part: str) -> None:
        """Fail unless the header can hold this many more bytes."""
        if num_bytes > self.limit - self.position:
            whole = "file" if self.limit == self.size else "longest header that foretell reads"
            self.fail(
                part,
                f"{num_bytes} bytes at byte {self.position} run past the end of the {whole} "
                f"({self.limit} bytes)",
            )

    def number(self, value_type: int, part: str) -> Any:
        """Read one scalar: int, float or bool."""
        return self.numbers(value_type, 1, part)[0]

    def numbers(self, value_type: int, count: int, part: str) -> list[Any]:
        """Read `count` scalars of one type."""
        kind = _NUMBERS[value_type]
        self.need(count * kind.itemsize, part)
        values = np.frombuffer(self.mapped, kind, count, self.position)
        if value_type == _BOOL:
            if count and values.max() > 1:
                self.fail(part, f"{values.max()} is no boolean: must be 0 or 1")
            values = values.astype(bool)
        self.position += count * kind.itemsize
        return cast("list[Any]", values.tolist())

    def u32(self, part: str) -> int:
        """Read one unsigned 32-bit integer."""
        return int(self.number(4, part))

    def u64(self, part: str) -> int:
        """Read one unsigned 64-bit integer."""
        return int(self.number(10, part))

    def string(self, part: str) -> str:
        """Read one string, which must be UTF-8."""
        length = self.u64(part)
        self.need(length, part)
        start = self.position
        self.position += length
        try:
            return self.mapped[start : self.position].decode()
        except UnicodeDecodeError as error:
            self.fail(part, f"not UTF-8 at byte {start + error.start}")

    def key(self, part: str) -> str:
        """Read the name of a metadata pair or tensor."""
        start = self.position + 8
        name = self.string(part)
        length = self.position - start
        if not 0 < length <= MAX_KEY_BYTES:
            self.fail(part, f"name of {length} bytes: must have 1 to {MAX_KEY_BYTES}")
        return name

    def strings(self, count: int, part: str) -> list[str]:
        """Read strings, other bytes than UTF-8 as surrogates. The hot loop: checks are few."""
        mapped, position, limit = self.mapped, self.position, self.limit
        texts: list[str] = []
        for index in range(count):
            start = position + 8
            if start > limit:
                self.fail(f"{part}[{index}]", "its length runs past the end")
            position = start + _unpack_u64(mapped, position)[0]
            if position > limit:
                self.fail(f"{part}[{index}]", f"{position - start} bytes run past the end")
            piece = mapped[start:position]
            try:
                texts.append(piece.decode())
            except UnicodeDecodeError:
                texts.append(piece.decode("utf-8", "surrogateescape"))
        self.position = position
        return texts

    def array(self, part: str, depth: int) -> list[Any]:
        """Read an array, which may hold arrays."""
        if depth > MAX_NESTING:
            self.fail(part, f"arrays nested more than {MAX_NESTING} deep")
        value_type, count = self.u32(part), self.u64(part)
        if value_type not in _FEWEST_BYTES:
            self.fail(part, f"unknown value type {value_type}")
        if count > self.elements_left:
            self.fail(part, f"{count} elements: must be at most {self.elements_left}")
        self.elements_left -= count
        self.need(count * _FEWEST_BYTES[value_type], part)
        if value_type == _STRING:
            return self.strings(count, part)
        if value_type == _ARRAY:
            return [self.array(f"{part}[{i}]", depth + 1) for i in range(count)]
        return self.numbers(value_type, count, part)

    def value(self, part: str) -> Any:
        """Read the value of a metadata pair, its type first."""
        value_type = self.u32(part)
        if value_type == _STRING:
            return self.string(part)
        if value_type == _ARRAY:
            return self.array(part, depth=1)
        if value_type not in _NUMBERS:
            self.fail(part, f"unknown value type {value_type}")
        return self.number(value_type, part)

    def preamble(self) -> tuple[int, int, int]:
        """Check magic and version; return the version and the numbers of tensors and pairs."""
        if self.mapped[:4] != b"GGUF":
            raise ModelFileError(
                f"{escape(self.path)} is {self._guess_format()}: must be a GGUF file, "
                "or give a checkpoint's folder"
            )
        self.position = 4
        version = self.u32("version")
        if version & 0xFFFF == 0 and version:
            raise UnsupportedModelError(
                f"{escape(self.path)} is big-endian: must be little-endian GGUF"
            )
        if version not in SUPPORTED_VERSIONS:
            raise UnsupportedModelError(
                f"{escape(self.path)} has GGUF version {version}: must be 2 or 3"
            )
        num_tensors = self.u64("number of tensors")
        num_pairs = self.u64("number of metadata pairs")
        for part, count in (("tensors", num_tensors), ("metadata pairs", num_pairs)):
            if count > MAX_ENTRIES:
                self.fail(f"number of {part}", f"{count}: must be at most {MAX_ENTRIES}")
        return version, num_tensors, num_pairs

    def _guess_format(self) -> str:
        if self.mapped[8:9] == b"{" and _unpack_u64(self.mapped)[0] < self.size:
            return "a safetensors file"
        head = self.mapped[:64].lstrip()
        for prefix, name in _OTHER_FORMATS:
            if head.startswith(prefix):
                return name
        return f"of an unknown format (it begins with {self.mapped[:4]!r})"

    def metadata(self, num_pairs: int) -> dict[str, Any]:
        """Read all metadata pairs."""
        pairs: dict[str, Any] = {}
        for index in range(num_pairs):
            key = self.key(f"key of metadata pair {index}")
            if key in pairs:
                self.fail(f"metadata {quote(key)}", "the key appears twice")
            pairs[key] = self.value(f"metadata {quote(key)}")
        return pairs

    def tensors(self, count: int, alignment: int) -> dict[str, TensorInfo]:
        """Read all tensor descriptions; each lies inside the file, behind another."""
        relative: dict[str, TensorInfo] = {}
        for index in range(count):
            info = self._tensor(index)
            if info.name in relative:
                self.fail(f"tensor {quote(info.name)}", "the name appears twice")
            if info.offset % alignment:
                self.fail(
                    f"tensor {quote(info.name)}",
                    f"offset {info.offset} must be a multiple of {alignment}",
                )
            relative[info.name] = info
        start = -(-self.position // alignment) * alignment
        self._check_layout(start, list(relative.values()), alignment)
        return {
            name: TensorInfo(name, info.type, info.shape, start + info.offset, info.nbytes)
            for name, info in relative.items()
        }

    def _tensor(self, index: int) -> TensorInfo:
        name = self.key(f"name of tensor {index}")
        part = f"tensor {quote(name)}"
        num_dimensions = self.u32(part)
        if not 1 <= num_dimensions <= MAX_DIMENSIONS:
            self.fail(part, f"{num_dimensions} dimensions: must be 1 to {MAX_DIMENSIONS}")
        shape = tuple(reversed(self.numbers(10, num_dimensions, part)))
        if 0 in shape:
            self.fail(part, f"shape {shape} has a zero")
        ggml_id = self.u32(part)
        offset = self.u64(part)
        kind = TensorType.from_ggml_id(ggml_id)
        if kind is None:
            raise UnsupportedModelError(
                f"{escape(self.path)}: {part} is {describe_refused(ggml_id)}"
            )
        if shape[-1] % kind.block_size:
            self.fail(
                part, f"rows of {shape[-1]}: {kind.name} needs a multiple of {kind.block_size}"
            )
        return TensorInfo(name, kind, shape, offset, kind.nbytes(prod(shape)))

    def _check_layout(self, start: int, tensors: list[TensorInfo], alignment: int) -> None:
        """One lies behind the other, as ggml asks: a hole tells of a wrong type or shape."""
        end, before = 0, "nothing"
        for info in sorted(tensors, key=lambda info: info.offset):
            part = f"tensor {quote(info.name)}"
            if info.offset < end:
                self.fail(part, f"overlaps tensor {before}")
            hole, behind = info.offset - end, before
            end, before = info.offset + info.nbytes, quote(info.name)
            if start + end > self.size:
                self.fail(
                    part,
                    f"shape {info.shape} in {info.type.name} ends at byte {start + end}, "
                    f"the file has {self.size}",
                )
            if hole >= alignment:
                self.fail(part, f"leaves a hole of {hole} bytes behind {behind}")
