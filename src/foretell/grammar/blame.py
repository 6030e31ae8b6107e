"""Which keyword of a schema it is that the library does not take, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from foretell.grammar.keywords import Finding, subschemas

MAX_TRIED = 500  # schemas that are compiled to find the one that is to blame
SHARED = ("$defs", "definitions", "$schema", "$id")

MessageOf = Callable[[Any], str]
"""What the library says against a schema; empty if it takes it."""


def find_cause(schema: Any, message_of: MessageOf, most: int) -> Finding | None:
    """The innermost schema that is refused, and the keyword without which it would not be.

    It looks at `most` schemas, and the outermost one.
    """
    if not isinstance(schema, dict) or not message_of(schema):
        return None
    shared = {name: schema[name] for name in SHARED if name in schema}
    found = None
    for path, one in islice(subschemas(schema), min(MAX_TRIED, max(1, most))):
        message = message_of({**shared, **one})
        if message:
            found = _finding(path, {**shared, **one}, message, message_of)
    return found


def _finding(path: str, schema: Mapping[str, Any], message: str, message_of: MessageOf) -> Finding:
    keywords = [name for name in schema if name not in SHARED]
    named = [name for name in keywords if name in message]
    for name in (*named, *keywords):
        rest = {key: value for key, value in schema.items() if key != name}
        if not message_of(rest):
            return Finding(path, name, f"is not supported: {message}")
    return Finding(path, keywords[0] if keywords else "$defs", f"is not supported: {message}")
