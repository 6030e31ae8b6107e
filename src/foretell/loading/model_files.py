"""The files that a model was loaded from: whether they are still the same, and their hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from foretell.backends.native.options import AdapterChoice
from foretell.errors import ModelFileError
from foretell.loading.fingerprint import files_of, model_sha256
from foretell.utils.quoting import escape

Mark = tuple[str, int, int, int]
"""A file's path, size, time of writing, and number in its file system."""


@dataclass(frozen=True)
class ModelFiles:
    """The files that a model was read from, and what was merged into it, as they were then.

    Attributes:
        model: a GGUF file, the first part of a split one, or a checkpoint's folder.
        adapters: of which weights were merged into the model's.
        marks: of all files; what is read later is the same as long as these are.
    """

    model: Path
    adapters: tuple[AdapterChoice, ...]
    marks: tuple[Mark, ...]

    @classmethod
    def note(cls, model: Path, adapters: Sequence[AdapterChoice]) -> ModelFiles:
        """Take note of a model's files before they are read."""
        return cls(model, tuple(adapters), _marks(model, adapters))

    @cached_property
    def hashes(self) -> dict[str, Any]:
        """The sha256 of the model, and of each adapter with its weight.

        ModelFileError if a file is not there any more as it was when the model was read.
        """
        self._check_unchanged()
        adapters = [[model_sha256(one.path), one.weight] for one in self.adapters]
        found = {"model": model_sha256(self.model), "adapters": adapters}
        self._check_unchanged()
        return found

    def _check_unchanged(self) -> None:
        now = {*_marks(self.model, self.adapters)}
        gone = [mark for mark in self.marks if mark not in now]
        if gone or len(now) != len(self.marks):
            path = escape(gone[0][0] if gone else self.model)
            raise ModelFileError(
                f"{path} was changed, moved or removed since the model was loaded: load it again"
            )


def _marks(model: Path, adapters: Sequence[AdapterChoice]) -> tuple[Mark, ...]:
    """The marks of the files that are there."""
    files = [file for path in (model, *(one.path for one in adapters)) for file in files_of(path)]
    found = [(file, file.stat()) for file in dict.fromkeys(files) if file.exists()]
    return tuple((str(file), s.st_size, s.st_mtime_ns, s.st_ino) for file, s in found)
