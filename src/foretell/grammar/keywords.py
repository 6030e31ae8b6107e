"""A JSON schema's keywords: which of them a text can be held to, and where there are others.

Refused are those that the library does not know, and those with which it would let something
through; unknown names, which JSON Schema itself passes over, earn a warning.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any

from foretell.utils.quoting import quote
from foretell.utils.suggestions import did_you_mean

INF = float("inf")
SCHEMAS_BY_NAME = ("properties", "patternProperties", "$defs", "definitions")
SCHEMAS = ("items", "additionalProperties", "additionalItems")
LISTS_OF_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
VALUES = (
    *("type", "const", "enum", "$ref", "required", "pattern", "format", "multipleOf"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
)
NAMES = ("$schema", "$id", "id", "$anchor")
ANNOTATIONS = (
    *("$comment", "title", "description", "default", "examples", "deprecated"),
    *("readOnly", "writeOnly", "contentEncoding", "contentMediaType", "contentSchema"),
    *("discriminator", "example", "externalDocs", "xml", "$vocabulary"),
)
UNSUPPORTED = (
    *("not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies"),
    *("uniqueItems", "contains", "minContains", "maxContains", "propertyNames"),
    *("unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"),
    *("$dynamicAnchor", "$recursiveAnchor", "x-guidance", "nullable"),
)
"""What no text is held to; with one of these a schema is refused, or compiled without it."""

KNOWN = frozenset(
    (*SCHEMAS_BY_NAME, *SCHEMAS, *LISTS_OF_SCHEMAS, *VALUES, *NAMES, *ANNOTATIONS, *UNSUPPORTED)
)
MAX_MULTIPLE = 10_000
"""Larger ones take seconds to compile."""

MAX_COMMON_MULTIPLE = 100_000
"""Of all multiples of a schema whose parts are joined: the library keeps a state for each rest."""

MAX_DEPTH = 124
"""Of objects and lists in each other: the library reads no more."""

MAX_REFERENCES = 2000
"""The library follows them one inside the other, and where they are joined takes ever longer."""

JOINING = ("allOf", "anyOf", "oneOf", "$ref")

NOTHING_ASKED: Mapping[str, tuple[Any, ...]] = {
    "uniqueItems": (False,),
    "nullable": (False,),
    "propertyNames": (True, {}),
    "unevaluatedProperties": (True, {}),
    "unevaluatedItems": (True, {}),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "dependencies"), ({},)),
}
"""Values with which an unsupported keyword asks for nothing."""

ONLY_BESIDE = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}
"""Keywords that ask for nothing without another."""


@dataclass(frozen=True)
class Finding:
    """What there is to say of a keyword.

    Attributes:
        path: where it stands, in JSONPath.
        keyword: its name.
        reason: what is wrong with it.
    """

    path: str
    keyword: str
    reason: str

    def __str__(self) -> str:
        return f"{quote(self.keyword)} at {self.path} {self.reason}"


def unsupported(schema: Any) -> list[Finding]:
    """The keywords of a schema that no text can be held to."""
    return [
        Finding(path, keyword, reason)
        for path, one in subschemas(schema)
        for keyword in one
        if (reason := _reason(keyword, one)) is not None
    ]


def excess(schema: Any) -> str | None:
    """Why a schema would take too long to compile, in words; None if it would not."""
    if _is_deeper(schema, MAX_DEPTH):
        return f"is nested too deeply: at most {MAX_DEPTH} objects and lists may be in each other"
    found = [one for _, one in subschemas(schema)]
    num_references = sum("$ref" in one for one in found)
    if num_references > MAX_REFERENCES:
        return f"has {num_references} references ($ref): must have at most {MAX_REFERENCES}"
    if any(not {*JOINING}.isdisjoint(one) for one in found):
        multiple = _common_multiple(one.get("multipleOf") for one in found)
        if multiple > MAX_COMMON_MULTIPLE:
            most = f"must be at most {MAX_COMMON_MULTIPLE}"
            return f"has multipleOf of which the least common multiple is {multiple}: {most}"
    return None


def _is_deeper(value: Any, most: int) -> bool:
    """Whether a value has more than `most` objects and lists in each other."""
    level = [value]
    for _ in range(most + 1):
        lists = [one.values() if isinstance(one, dict) else one for one in level if _holds(one)]
        if not lists:
            return False
        level = [*chain.from_iterable(lists)]
    return True


def _holds(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _common_multiple(values: Iterable[Any]) -> int:
    """Of all that are numbers, in units of the smallest decimal that one of them has."""
    numbers = [Fraction(str(one)) for one in values if type(one) in (int, float) and 0 < one < INF]
    scale = math.lcm(*(one.denominator for one in numbers))
    whole = [int(one * scale) for one in numbers]
    return math.lcm(*whole) // (math.gcd(*whole) or 1)


def unknown(schema: Any) -> list[Finding]:
    """Names in a schema that are no keywords, such as misspelt ones: JSON Schema has no error."""
    return [
        Finding(path, keyword, f"is no keyword, and asks for nothing: {_proposal(keyword)}")
        for path, one in subschemas(schema)
        for keyword in one
        if keyword not in KNOWN and not keyword.startswith("x-")
    ]


def without_unsupported(schema: Any) -> Any:
    """The schema without the keywords that no text can be held to, or that ask for nothing."""
    if not isinstance(schema, dict):
        return schema
    kept = {
        name: one
        for name, one in schema.items()
        if name not in UNSUPPORTED and _reason(name, schema) is None
    }
    for name, value in kept.items():
        if name in SCHEMAS_BY_NAME and isinstance(value, dict):
            kept[name] = {key: without_unsupported(one) for key, one in value.items()}
        elif name in (*LISTS_OF_SCHEMAS, *SCHEMAS) and isinstance(value, list):
            kept[name] = [without_unsupported(one) for one in value]
        elif name in SCHEMAS:
            kept[name] = without_unsupported(value)
    return kept


def has_open_keys(schema: Any) -> bool:
    """Whether some object has keys that are listed, and may have others."""
    return any(
        one.get("additionalProperties") is not False
        and not {"properties", "patternProperties", "required"}.isdisjoint(one)
        for _, one in subschemas(schema)
    )


def subschemas(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema that is an object, with its path, the whole one first."""
    left = [("$", schema)]
    while left:
        path, one = left.pop()
        if not isinstance(one, dict):
            continue
        yield path, one
        inner = [(f"{path}{step}", each) for name in one for step, each in _inner(name, one[name])]
        left.extend(reversed(inner))


def _inner(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if name in SCHEMAS_BY_NAME and isinstance(value, dict):
        yield from ((f".{name}{_step(key)}", one) for key, one in value.items())
    elif name in (*LISTS_OF_SCHEMAS, *SCHEMAS) and isinstance(value, list):
        yield from ((f".{name}[{index}]", one) for index, one in enumerate(value))
    elif name in SCHEMAS:
        yield f".{name}", value


def _step(key: str) -> str:
    return f".{key}" if key.isidentifier() else f"[{quote(key)}]"


def _reason(keyword: str, schema: Mapping[str, Any]) -> str | None:
    """Why a text cannot be held to this keyword of a schema; None if it can."""
    value = schema[keyword]
    if keyword in UNSUPPORTED:
        return None if _asks_for_nothing(keyword, schema) else "is not supported"
    if keyword == "multipleOf" and isinstance(value, (int, float)) and value > MAX_MULTIPLE:
        return f"is {quote(value)}: must be at most {MAX_MULTIPLE}"
    if (
        keyword == "minProperties"
        and isinstance(value, (int, float))
        and value > _most_keys(schema)
    ):
        return (
            f"is {quote(value)}: must be at most {_most_keys(schema)}, one more than are required, "
            "since a key that comes twice would count twice"
        )
    return None


def _most_keys(schema: Mapping[str, Any]) -> int:
    required = schema.get("required")
    return 1 + (len({*map(str, required)}) if isinstance(required, list) else 0)


def _asks_for_nothing(keyword: str, schema: Mapping[str, Any]) -> bool:
    value, lonely = schema[keyword], ONLY_BESIDE.get(keyword, keyword) not in schema
    neutral = NOTHING_ASKED.get(keyword, ())
    return lonely or any(type(value) is type(one) and value == one for one in neutral)


def _proposal(keyword: str) -> str:
    return did_you_mean(keyword, sorted(KNOWN), "drop it, or write it as JSON Schema has it")
