"""Values in Python's own types: what users give is often a scalar or an array of numpy or torch."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping
from typing import Any

_PLAIN = frozenset((bool, int, float, str, bytes, tuple, list, dict, set, type(None)))


def scalar(value: Any) -> Any:
    """What a scalar of numpy or torch holds, or an array with a single element; others as is."""
    if type(value) in _PLAIN or not hasattr(type(value), "item"):
        return value
    try:
        return value.item()
    except Exception:  # noqa: BLE001 an array of several elements, or something of the user's own
        return value


def unpacked(value: Any) -> Any:
    """An array of numpy, torch or alike as lists of numbers, or as a number; others as is."""
    if type(value) in _PLAIN or not hasattr(type(value), "tolist"):
        return value
    try:
        return value.tolist()
    except Exception:  # noqa: BLE001 not an array, but something of the user's own
        return value


def integer(value: Any) -> int | None:
    """A whole number of any kind as an int; None if it is none. True and False are none."""
    if type(value) is int:
        return value
    value = scalar(value)
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except Exception:  # noqa: BLE001 TypeError, or whatever an object of the user's own raises
        return None


def number(value: Any) -> int | float | None:
    """A number of any kind as an int or a float; None if it is none. True and False are none."""
    if type(value) in (int, float):
        return value  # type: ignore[no-any-return]
    value = scalar(value)
    if isinstance(value, (bool, str)) or not hasattr(type(value), "__float__"):
        return None
    whole = integer(value)
    try:
        return float(value) if whole is None else whole
    except Exception:  # noqa: BLE001 too large, not a number, or something of the user's own
        return None


def string(value: Any) -> str | None:
    """A text as a str, not one of a subclass; None if it is none."""
    if type(value) is str:
        return value
    value = scalar(value)
    return str.__str__(value) if isinstance(value, str) else None


def boolean(value: Any) -> bool | None:
    """True or False; None if it is neither."""
    value = scalar(value)
    return value if isinstance(value, bool) else None


def items(value: Any) -> tuple[Any, ...] | None:
    """The elements of a list, a set, an array or alike; None if it is one value, or a mapping."""
    value = unpacked(value)
    if isinstance(value, (str, bytes, bytearray, Mapping)) or not isinstance(value, Collection):
        return None
    return tuple(value)
