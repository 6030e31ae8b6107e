"""A route's own fields, as values of the type that they must have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foretell.server.errors import wrong
from foretell.server.limits import Span


def checked(own: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    """A field's value, which must be of this very type."""
    value = own.get(name, default)
    if value is not default and type(value) is not kind:
        raise wrong(name, value, _NOUNS[kind])
    return value


def flag(own: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """A field that is true or false."""
    found: bool = checked(own, name, bool, default)
    return found


def number(own: Mapping[str, Any], name: str, span: Span) -> int | None:
    """A field that is a whole number within bounds; None where it is absent."""
    value = own.get(name)
    if value is not None and not (type(value) is int and span.low <= value <= span.high):
        raise wrong(name, value, f"an integer from {span}")
    return value


_NOUNS: Mapping[type, str] = {
    bool: "true or false",
    str: "a string",
    dict: "an object",
    list: "a list",
}
