"""Typed, bounded reading of what a model file says of itself: GGUF metadata, `config.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.utils.quoting import escape, quote
from foretell.utils.surrogates import has_surrogate


class MetadataReader:
    """Values by key, each checked before it is handed out: `reader.integer("vocab_size", 1, 100)`.

    A key that is absent, or null, gives the default. Without one, and where the value has another
    type or is out of bounds, ModelFileError names the source, the key, the value and what would be
    right.

    Attributes:
        source: what is read, for messages.
        prefix: what the keys begin with in the file.
    """

    def __init__(self, metadata: Mapping[str, Any], source: str) -> None:
        self.source = source
        self._metadata = metadata
        self._architecture: object = ""
        self.prefix = ""
        self._spelling = "{}"
        self._names: Mapping[str, str] = {}
        self._asked: set[str] = set()

    @classmethod
    def of_architecture(
        cls, metadata: Mapping[str, Any], architecture: str, source: str
    ) -> MetadataReader:
        """The keys of a GGUF file that begin with its architecture's name, which is left out."""
        reader = cls(metadata, source)
        reader._architecture = architecture
        reader.prefix = f"{architecture}."
        reader._spelling = "metadata '{}'"
        return reader

    @classmethod
    def of_config(
        cls,
        config: Mapping[str, Any],
        source: str,
        names: Mapping[str, str] = MappingProxyType({}),
    ) -> MetadataReader:
        """The keys of a checkpoint's `config.json`, or of an object in it.

        Args:
            config: what it says, by the keys that are asked for.
            source: what is read, for messages.
            names: what the file itself calls some of those keys, for messages too.
        """
        reader = cls(config, source)
        reader._names = names
        reader._architecture = config.get("model_type")
        reader._spelling = "'{}'"
        return reader

    def __contains__(self, key: str) -> bool:
        return self._find(key) is not None

    def __len__(self) -> int:
        return len(self._metadata)

    @property
    def values(self) -> Mapping[str, Any]:
        """All that it reads, unchecked."""
        return self._metadata

    @cached_property
    def beyond(self) -> MetadataReader:
        """A reader of the same metadata whose keys do not begin with the architecture's name."""
        other = MetadataReader(self._metadata, self.source)
        other._architecture, other._spelling = self._architecture, self._spelling
        return other

    @property
    def unasked(self) -> dict[str, Any]:
        """The keys of this architecture that nobody has asked for yet, and their values."""
        own = {key: value for key, value in self._metadata.items() if key.startswith(self.prefix)}
        return {
            key.removeprefix(self.prefix): value
            for key, value in own.items()
            if key.removeprefix(self.prefix) not in self._asked
        }

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """The integer under this key, low ≤ value ≤ high."""
        value = self._value(key, default)
        if type(value) is not int or not low <= value <= high:
            raise self._mistyped(key, value, f"an integer from {low} to {high}")
        return value

    def token_id(self, key: str, vocab_size: int) -> int | None:
        """The token id under this key; None where there is none."""
        if key not in self:
            return None
        value = self._value(key, None)
        if type(value) is not int:
            raise self._mistyped(key, value, "an integer")
        if not 0 <= value < vocab_size:
            raise self._mistyped(key, value, f"a token id from 0 to {vocab_size - 1}")
        return value

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """The finite number under this key, low ≤ value ≤ high."""
        value = self._value(key, default)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise self._mistyped(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """The boolean under this key."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self._mistyped(key, value, "true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """The string under this key."""
        value = self._value(key, default)
        if not isinstance(value, str):
            raise self._mistyped(key, value, "a string")
        return value

    def texts(self, key: str, default: list[str] | None = None) -> list[str]:
        """The list of strings under this key, all of them valid Unicode."""
        values = self._list(key, default, {str}, "strings")
        try:
            "".join(values).encode()
        except UnicodeEncodeError:
            index = next(i for i, value in enumerate(values) if has_surrogate(value))
            raise self._mistyped(f"{key}[{index}]", values[index], "valid UTF-8") from None
        return values

    def integers(self, key: str, default: list[int] | None = None) -> list[int]:
        """The list of integers under this key."""
        return self._list(key, default, {int}, "integers")

    def numbers(self, key: str, default: list[float] | None = None) -> list[float]:
        """The list of finite numbers under this key."""
        values = self._list(key, default, {int, float}, "numbers")
        if not all(map(_is_finite, values)):
            index = next(i for i, value in enumerate(values) if not _is_finite(value))
            raise self._mistyped(f"{key}[{index}]", values[index], "finite")
        return values

    def flags(self, key: str, default: list[bool] | None = None) -> list[bool]:
        """The list of booleans under this key."""
        return self._list(key, default, {bool}, "booleans")

    def is_list(self, key: str) -> bool:
        """Whether a list is under this key, of which some keys' values may be one."""
        return isinstance(self._find(key), list)

    def part(self, key: str) -> MetadataReader | None:
        """A reader of the object under this key of a `config.json`; None where there is none."""
        value = self._find(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._mistyped(key, value, "an object")
        return self.of_object(value, key)

    def with_values(
        self, values: Mapping[str, Any], names: Mapping[str, str] = MappingProxyType({})
    ) -> MetadataReader:
        """A reader of the same config with these values in it, and `names` for them."""
        config, all_names = {**self._metadata, **values}, {**self._names, **names}
        return MetadataReader.of_config(config, self.source, all_names)

    def of_object(self, value: Mapping[str, Any], name: str) -> MetadataReader:
        """A reader of an object that is called so in messages, such as one made of two."""
        inner = MetadataReader.of_config(value, f"{self.source}: {name}")
        inner._architecture = self._architecture
        return inner

    def unsupported(self, what: str) -> UnsupportedModelError:
        """The error that says that foretell cannot run this variant of the architecture."""
        return UnsupportedModelError(
            f"{self.source}: {what} is not supported for architecture {quote(self._architecture)}"
        )

    def wrong(self, what: str) -> ModelFileError:
        """The error that says what is missing, or contradicts something else."""
        return ModelFileError(f"{self.source}: {what}")

    def _value(self, key: str, default: Any) -> Any:
        value = self._find(key)
        if value is None:
            value = default
        if value is None:
            raise self.wrong(f"{self._spell(key)} is missing")
        return value

    def _find(self, key: str) -> Any:
        self._asked.add(key)
        return self._metadata.get(f"{self.prefix}{key}")

    def _list(self, key: str, default: Any, kinds: set[type], noun: str) -> list[Any]:
        values = self._value(key, default)
        if not isinstance(values, list):
            raise self._mistyped(key, values, f"a list of {noun}")
        for wrong in set(map(type, values)) - kinds:
            index = next(i for i, value in enumerate(values) if type(value) is wrong)
            raise self._mistyped(f"{key}[{index}]", values[index], f"one of the {noun}")
        return values

    def _mistyped(self, key: str, value: object, right: str) -> ModelFileError:
        return self.wrong(f"{self._spell(key)} is {_show(value)}: must be {right}")

    def _spell(self, key: str) -> str:
        name, bracket, index = key.partition("[")
        own = f"{self.prefix}{self._names.get(name, name)}{bracket}{index}"
        return self._spelling.format(escape(own))


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def _show(value: object) -> str:
    if isinstance(value, (list, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    return quote(value)
