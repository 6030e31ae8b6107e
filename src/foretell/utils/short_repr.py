"""Reprs that fit a line or two: long values are cut, and many things are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

MAX_TEXT = 100  # characters of one string
MAX_FLOAT = 10  # characters of a float that is not rounded
MAX_ITEMS = 6  # numbers or strings of one list
_PLAIN = (str, bytes, int, float, list, tuple, type(None))


def call_repr(name: str, values: Mapping[str, Any]) -> str:
    """What makes an object anew, as far as that is short: `Name(first='a', second=[1, 2])`."""
    return f"{name}({', '.join(f'{key}={short_repr(value)}' for key, value in values.items())})"


def short_repr(value: Any) -> str:
    """A value as Python writes it, cut where it is long; objects in lists are only counted."""
    if isinstance(value, (str, bytes)):
        return _short_text(value)
    if isinstance(value, (list, tuple)):
        return _short_list(value)
    if isinstance(value, Mapping):
        return _short_mapping(value)
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return f"{value:.6g}" if _is_long_float(value) else repr(value)


def _is_long_float(value: Any) -> bool:
    return isinstance(value, float) and len(repr(value)) > MAX_FLOAT


def _short_text(text: str | bytes) -> str:
    if len(text) <= MAX_TEXT:
        return repr(text)
    unit = "characters" if isinstance(text, str) else "bytes"
    return f"{text[:MAX_TEXT]!r}… ({_size(text, unit)})"


def _short_list(items: list[Any] | tuple[Any, ...]) -> str:
    opened, closed = "[]" if isinstance(items, list) else "()"
    if items and not all(isinstance(item, _PLAIN) for item in items):
        kinds = dict.fromkeys(type(item).__name__ for item in items)
        if not any(callable(item) for item in items):
            return f"{opened}{len(items)} × {' | '.join(kinds)}{closed}"
    shown = [short_repr(item) for item in items[:MAX_ITEMS]]
    if len(items) > MAX_ITEMS:
        shown.append(f"… {_size(items, 'in all')}")
    elif len(items) == 1 and isinstance(items, tuple):
        return f"({shown[0]},)"
    return f"{opened}{', '.join(shown)}{closed}"


def _short_mapping(items: Mapping[Any, Any]) -> str:
    pairs = list(items.items())
    shown = [f"{short_repr(key)}: {short_repr(value)}" for key, value in pairs[:MAX_ITEMS]]
    if len(pairs) > MAX_ITEMS:
        shown.append(f"… {_size(pairs, 'in all')}")
    return f"{{{', '.join(shown)}}}"


def _size(items: Sized, unit: str) -> str:
    return f"{len(items)} {unit}"
