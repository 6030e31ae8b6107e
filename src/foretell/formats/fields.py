"""Typed, checked reading of GGUF metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

from foretell.errors import ModelFileError


class Fields:
    """Metadata of one file; every getter checks the value's type before it hands it out.

    Absent keys give None. A value of the wrong type raises ModelFileError with `source` and key.
    """

    def __init__(self, metadata: Mapping[str, Any], source: str) -> None:
        self.source = source
        self._metadata = metadata

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise the ModelFileError that blames `key`."""
        raise ModelFileError(f"{self.source}: {key} {problem}")

    def string(self, key: str) -> str | None:
        """A string."""
        value = self._metadata.get(key)
        if value is not None and not isinstance(value, str):
            self.fail(key, f"is {_show(value)}: must be a string")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """A boolean, or `default` where the key is absent."""
        value = self._metadata.get(key, default)
        if not isinstance(value, bool):
            self.fail(key, f"is {_show(value)}: must be true or false")
        return value

    def token_id(self, key: str, vocab_size: int) -> int | None:
        """An id from 0 to `vocab_size - 1`."""
        value = self._metadata.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(key, f"is {_show(value)}: must be an integer")
        if not 0 <= value < vocab_size:
            self.fail(key, f"is {value}: must be a token id from 0 to {vocab_size - 1}")
        return value

    def strings(self, key: str) -> list[str] | None:
        """A list of strings that are valid Unicode."""
        values = self._list(key, {str}, "strings")
        if values is not None:
            self._check_unicode(key, values)
        return values

    def integers(self, key: str) -> list[int] | None:
        """A list of integers."""
        return self._list(key, {int}, "integers")

    def numbers(self, key: str) -> list[float] | None:
        """A list of finite numbers."""
        values = self._list(key, {int, float}, "numbers")
        if values is not None and not all(map(math.isfinite, values)):
            index = next(i for i, value in enumerate(values) if not math.isfinite(value))
            self.fail(f"{key}[{index}]", f"is {values[index]}: must be finite")
        return values

    def _list(self, key: str, kinds: set[type], noun: str) -> list[Any] | None:
        values = self._metadata.get(key)
        if values is None:
            return None
        if not isinstance(values, list):
            self.fail(key, f"is {_show(values)}: must be a list of {noun}")
        for wrong in set(map(type, values)) - kinds:
            index = next(i for i, value in enumerate(values) if type(value) is wrong)
            self.fail(f"{key}[{index}]", f"is {_show(values[index])}: must be one of the {noun}")
        return values

    def _check_unicode(self, key: str, values: list[str]) -> None:
        try:
            "".join(values).encode()
        except UnicodeEncodeError:
            index = next(i for i, value in enumerate(values) if has_surrogate(value))
            self.fail(f"{key}[{index}]", f"is {values[index]!r:.60}: must be valid UTF-8")


def has_surrogate(text: str) -> bool:
    """Whether the text holds a lone surrogate, which no UTF-8 can spell."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _show(value: object) -> str:
    if isinstance(value, (list, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{value!r:.60}"
