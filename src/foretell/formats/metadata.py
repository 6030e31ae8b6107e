"""Typed, bounded reading of a model file's settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from foretell.errors import ModelFileError, UnsupportedModelError


class Settings:
    """One architecture's keys of a GGUF file: `settings.integer("block_count", 1, 1000)`.

    A key that is missing without a default, of another type, or out of bounds raises
    ModelFileError with the file, the key, the value and what would be right.
    """

    def __init__(self, metadata: Mapping[str, Any], architecture: str, source: str) -> None:
        self._metadata = metadata
        self._architecture = architecture
        self._source = source
        self._prefix = f"{architecture}."

    @classmethod
    def of_config(cls, config: Mapping[str, Any], source: str) -> Settings:
        """The keys of a checkpoint's `config.json`, or of an object in it; null counts as absent.

        `source` is for messages.
        """
        present = {key: value for key, value in config.items() if value is not None}
        settings = cls(present, str(config.get("model_type")), source)
        settings._prefix = ""
        return settings

    def __contains__(self, key: str) -> bool:
        return f"{self._prefix}{key}" in self._metadata

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """The integer under this key, low ≤ value ≤ high."""
        value = self._value(key, default)
        if type(value) is not int or not low <= value <= high:
            raise self._wrong(key, value, f"an integer from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """The finite number under this key, low ≤ value ≤ high."""
        value = self._value(key, default)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not low <= value <= high:
            raise self._wrong(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    def text(self, key: str, default: str) -> str:
        """The string under this key."""
        value = self._value(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, value, "a string")
        return value

    def texts(self, key: str, default: list[str]) -> list[str]:
        """The list of strings under this key."""
        value = self._value(key, default)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, value, "a list of strings")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """The boolean under this key."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def part(self, key: str) -> Settings | None:
        """The object under this key of a `config.json`, as settings; None where there is none."""
        value = self._metadata.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._wrong(key, value, "an object")
        inner = Settings.of_config(value, f"{self._source}: {key}")
        inner._architecture = self._architecture
        return inner

    def unsupported(self, what: str) -> UnsupportedModelError:
        """The error that says that foretell cannot run this variant."""
        return UnsupportedModelError(
            f"{self._source}: {what} is not supported for architecture {self._architecture!r}"
        )

    def wrong(self, what: str) -> ModelFileError:
        """The error that says that settings contradict each other."""
        return ModelFileError(f"{self._source}: {what}")

    def _value(self, key: str, default: Any) -> Any:
        value = self._metadata.get(f"{self._prefix}{key}", default)
        if value is None:
            raise ModelFileError(f"{self._source}: {self._place(key)} is missing")
        return value

    def _place(self, key: str) -> str:
        return f"metadata '{self._prefix}{key}'" if self._prefix else repr(key)

    def _wrong(self, key: str, value: object, right: str) -> ModelFileError:
        shown = repr(value)[:60]
        return ModelFileError(f"{self._source}: {self._place(key)} is {shown}: must be {right}")
