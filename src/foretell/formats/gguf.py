"""A model in GGUF: one file, or the parts that it was split into.

Each part is a GGUF file of its own. The first has the metadata; each says in `split.no` (from 0),
`split.count` and `split.tensors.count` (of all parts) what it is, and in its name too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelFileError, ModelNotFoundError
from foretell.formats.gguf_part import GGUFPart
from foretell.formats.split_names import MAX_PARTS, part_names
from foretell.formats.types import TensorInfo, TensorType
from foretell.utils.quoting import escape, quote

__all__ = ["GGUFFile", "TensorInfo", "TensorType"]

NUMBER, COUNT, NUM_TENSORS = "split.no", "split.count", "split.tensors.count"
OWN_KEYS = (NUMBER, "general.alignment")  # may differ from part to part


class GGUFFile:
    """An open model: its metadata, its tensors, and their bytes as views of memory maps.

    Attributes:
        path: the file; of a split model, its first part.
        version: 2 or 3.
        metadata: values by key: int, float, bool, str, or a list of these. Strings are UTF-8, but
            those in lists (token pieces) may hold other bytes, which stand as surrogates:
            `piece.encode("utf-8", "surrogateescape")` gives the file's bytes back.
        tensors: descriptions by name, in the order of the files.
    """

    path: Path
    version: int
    metadata: dict[str, Any]
    tensors: dict[str, TensorInfo]

    def __init__(self, parts: list[GGUFPart]) -> None:
        first = parts[0]
        self.path, self.version, self.metadata = first.path, first.version, first.metadata
        self._parts = parts
        self._part_of = {name: part for part in parts for name in part.tensors}
        self.tensors = {name: part.tensors[name] for name, part in self._part_of.items()}

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> GGUFFile:
        """Map the file, or all parts of its model, and check everything but tensors' elements.

        Raises:
            ModelNotFoundError: nothing lies at `path`.
            ModelFileError: not a GGUF file, unreadable, damaged or cut short; or a part is missing,
                or at odds with the others.
            UnsupportedModelError: big-endian, another version, or a tensor type that foretell does
                not read.
        """
        named = GGUFPart.open(Path(path))
        parts = [named]
        try:
            if _num_parts(named) > 1:
                _open_others(named, parts)
        except BaseException:
            _close(parts)
            raise
        return cls(parts)

    def path_of(self, name: str) -> Path:
        """The file that a tensor lies in, or would be looked for in."""
        return self._part_of[name].path if name in self._part_of else self.path

    def data(self, name: str) -> NDArray[np.uint8]:
        """The bytes of one tensor: a read-only 1-D view of the map, nothing copied.

        Raises ModelFileError if the file has no such tensor, ValueError if it is closed.
        """
        if name not in self.tensors:
            raise ModelFileError(
                f"{escape(self.path)}: no tensor {quote(name)} among its {len(self.tensors)}"
            )
        return self._part_of[name].data(self.tensors[name])

    def will_need(self, name: str) -> None:
        """Let the system read a tensor's bytes ahead."""
        self._part_of[name].will_need(self.tensors[name])

    def forget_pages(self, name: str) -> None:
        """Give the memory of a tensor's pages back; they are read again if they are needed."""
        self._part_of[name].forget_pages(self.tensors[name])

    def close(self) -> None:
        """Let go of the maps. Views that `data` gave stay valid, and keep theirs until they go."""
        _close(self._parts)

    @property
    def doubt(self) -> str:
        """For what is found to be missing: that it may be one part of several; else empty."""
        named = len(part_names(self.path.name))
        if named == len(self._parts):
            return ""
        return f"; by its name it is one of {named} parts, but {_stated_count(self._parts[0])}"

    def __enter__(self) -> GGUFFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _close(parts: list[GGUFPart]) -> None:
    for part in parts:
        part.close()


def _num_parts(part: GGUFPart) -> int:
    """How many parts a file says that its model has; 1 where it says nothing."""
    count = part.metadata.get(COUNT, 1)
    if type(count) is not int or not 0 <= count <= MAX_PARTS:
        _refuse(part, f"{COUNT} is {quote(count)}: must be at most {MAX_PARTS}")
    return max(count, 1)


def _stated_count(part: GGUFPart) -> str:
    """What a file says of how many parts there are, in words."""
    if COUNT not in part.metadata:
        return f"it has no {COUNT}"
    return f"{COUNT} is {quote(part.metadata[COUNT])}"


def _open_others(named: GGUFPart, parts: list[GGUFPart]) -> None:
    """Let `parts` be all of the model that `named`, its only element, is a part of."""
    names = part_names(named.path.name)
    count = _num_parts(named)
    if len(names) != count:
        own = f"-{_number(named, count):05d}-of-{count:05d}.gguf"
        _refuse(named, f"it is one of {count} parts: its name must end in {own!r}, as the others'")
    del parts[:]
    for name in names:
        is_named = name.lower() == named.path.name.lower()
        parts.append(named if is_named else _open_part(named, name))
    _check(parts)


def _open_part(named: GGUFPart, name: str) -> GGUFPart:
    try:
        return GGUFPart.open(named.path.with_name(name))
    except ModelNotFoundError:
        raise ModelFileError(
            f"{escape(named.path.with_name(name))}, one of the parts of {escape(named.path.name)}, "
            "is missing: fetch it, and put it beside the others"
        ) from None


def _check(parts: list[GGUFPart]) -> None:
    """The files are the parts of one model, in order, and each tensor lies in one of them."""
    first = parts[0]
    for index, part in enumerate(parts):
        if _num_parts(part) != len(parts):
            _refuse(part, f"{_stated_count(part)}, where its name says {len(parts)}")
        number = _number(part, len(parts))
        if number != index + 1:
            _refuse(part, f"it is part {number} of {len(parts)}, where its name says {index + 1}")
        for key in part.metadata.keys() & first.metadata.keys() - set(OWN_KEYS):
            if part.metadata[key] != first.metadata[key]:
                _refuse(
                    part,
                    f"{quote(key)} is {quote(part.metadata[key])}, in {escape(first.path.name)} it "
                    f"is {quote(first.metadata[key])}: must be parts of one model",
                )
    _check_tensors(parts)


def _check_tensors(parts: list[GGUFPart]) -> None:
    found: dict[str, GGUFPart] = {}
    for part in parts:
        for name in part.tensors:
            if name in found:
                _refuse(
                    part,
                    f"tensor {quote(name)} lies in {escape(found[name].path.name)} too: must be "
                    "parts of one model",
                )
            found[name] = part
    for part in parts:
        total = part.metadata.get(NUM_TENSORS, len(found))
        if total != len(found):
            _refuse(
                part,
                f"{NUM_TENSORS} is {quote(total)}, in all {len(parts)} parts there are "
                f"{len(found)}: must be parts of one model",
            )


def _number(part: GGUFPart, count: int) -> int:
    """Which part a file says that it is, from 1."""
    number = part.metadata.get(NUMBER)
    if type(number) is not int or not 0 <= number < count:
        _refuse(part, f"{NUMBER} is {quote(number)}: must be 0 to {count - 1}")
    return number + 1


def _refuse(part: GGUFPart, reason: str) -> NoReturn:
    raise ModelFileError(f"{escape(part.path)} is no part of the model: {reason}")
