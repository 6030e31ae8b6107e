"""A JSON schema as a setting holds it: its text, and the Python type that it was made from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from foretell.config import plain
from foretell.config.python_types import schema_of, value_of
from foretell.errors import ConfigError
from foretell.utils.extras import how_to_install
from foretell.utils.quoting import quote

MAX_SCHEMA = 2**20
"""Characters. One of a Kubernetes object has 66,000."""

MAX_SHOWN = 40
"""Characters of a schema, or of its title, that are shown."""

FORMS = "a JSON schema: a dict, its text, a pydantic model, a dataclass or a TypedDict"


@dataclass(frozen=True)
class JsonSchema:
    """A schema, in JSON as it was written: the order of its keys is that of the text.

    Attributes:
        text: the schema in JSON.
        kind: the type that it was made from, whose instance an output becomes; None: plain data.
    """

    text: str
    kind: type | None = None

    @property
    def data(self) -> Any:
        """The schema as plain data."""
        return json.loads(self.text)

    def value_of(self, text: str) -> Any:
        """What a text that is complete stands for: plain data, or an instance of the type.

        Raises what the type itself raises where it takes less than its schema says.
        """
        if self.kind is None:
            return json.loads(text)
        if hasattr(self.kind, "model_validate_json"):
            return self.kind.model_validate_json(text)
        return value_of(self.kind, json.loads(text))

    def errors_of(self, text: str) -> list[str]:
        """What is wrong with a text that is JSON, by path; ConfigError without jsonschema."""
        try:
            from jsonschema import ValidationError, validators  # type: ignore[import-untyped]
        except ImportError as error:
            raise ConfigError(
                f"lenient=True checks a text with jsonschema: {how_to_install('lenient')}"
            ) from error

        def multiple_of(validator: Any, step: Any, value: Any, _: Any) -> Iterator[ValidationError]:
            if validator.is_type(value, "number") and not _is_multiple(value, step):
                yield ValidationError(f"{value!r} is not a multiple of {step}")

        schema = self.data
        kind = validators.validator_for(schema, default=validators.validator_for({}))
        kind = validators.extend(kind, {"multipleOf": multiple_of})
        found = kind(schema).iter_errors(json.loads(text))
        return [f"{error.json_path}: {error.message}" for error in found]

    def __str__(self) -> str:
        """For traces: the type's name, the text if it is short, or else its title or its size."""
        if self.kind is not None:
            return self.kind.__name__
        if len(self.text) <= MAX_SHOWN:
            return self.text
        data = self.data
        title = data.get("title") if isinstance(data, dict) else None
        is_name = isinstance(title, str) and 0 < len(title) <= MAX_SHOWN and title.isprintable()
        return str(title) if is_name else f"({len(self.text)} characters)"

    def __repr__(self) -> str:
        return str(self)


def _is_multiple(value: float, step: float) -> bool:
    """Whether it is, of the decimals that are written: by floats 0.14 is no multiple of 0.01."""
    if isinstance(value, float) and math.isinf(value):  # 1e400, which no float64 holds
        return True
    exact, unit = (Fraction(one if isinstance(one, int) else repr(one)) for one in (value, step))
    return exact % unit == 0


def json_schema(name: str, value: Any) -> JsonSchema:
    """A schema in any of its forms; ConfigError if it is none, or is no valid JSON."""
    if isinstance(value, JsonSchema):
        return value
    kind = value if isinstance(value, type) else None
    given = plain.string(value)
    text = _text_of(name, value, kind) if given is None else given
    if len(text) > MAX_SCHEMA:
        raise ConfigError(f"{name} has {len(text)} characters: must have at most {MAX_SCHEMA}")
    if given is not None:
        _check(name, given)
    return JsonSchema(text, kind)


def _text_of(name: str, value: Any, kind: type | None) -> str:
    if kind is not None and hasattr(kind, "model_json_schema"):
        value = kind.model_json_schema()
    elif kind is not None:
        value = schema_of(name, kind)
    if not isinstance(value, (Mapping, bool)):
        raise ConfigError(f"{name}={quote(value)} must be {FORMS}")
    if _least_size(value) > MAX_SCHEMA:  # to write it would hold up everybody
        raise ConfigError(
            f"{name} has more than {MAX_SCHEMA} characters: must have at most {MAX_SCHEMA}"
        )
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{name} is no JSON: {quote(error)}") from error
    return text


def _least_size(value: Any) -> int:
    """Characters of a value in JSON, at the least; it is counted no further than they may be.

    Everybody waits while it is counted, so texts are measured together where they stand together.
    """
    size, left = 0, [value]
    while left and size + len(left) <= MAX_SCHEMA:
        one = left.pop()
        if isinstance(one, str):
            size += len('""') + len(one)
        elif isinstance(one, (list, tuple)):
            length = _length_of(one)
            size += len(", ") * len(one)
            if length is None:
                left.extend(one)
            else:
                size += len('""') * len(one) + length
        elif one is None or isinstance(one, (int, float)):
            size += 1
        elif isinstance(one, (dict, Mapping)):
            size += len('"": , ') * len(one)
            if size <= MAX_SCHEMA:
                size += _length_of(one) or 0
                left.extend(one.values())
    return size + len(left)


def _length_of(values: Iterable[Any]) -> int | None:
    """Characters of texts together; None where one is no text."""
    try:
        return len("".join(values))
    except TypeError:
        return None


def _check(name: str, text: str) -> None:
    """Raise ConfigError for a text that is no JSON, or no schema."""
    try:
        data = json.loads(text)
        text.encode()
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(f"{name} is no JSON: it goes wrong at {place}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} is no JSON: {quote(error)}") from error
    if not isinstance(data, (dict, bool)):
        raise ConfigError(f"{name} must be a JSON object, and not {quote(data)}")


_OPEN = ("additionalProperties", "patternProperties", "unevaluatedProperties")
_TOGETHER = ("allOf", "anyOf", "oneOf", "$ref", "$dynamicRef", "if", "not", "dependentSchemas")
_INSIDE = ("items", "additionalProperties")
_BY_NAME = ("properties", "patternProperties")
_SHARED = ("$defs", "definitions")
_LISTED = ("anyOf", "oneOf", "prefixItems")


def closed(schema: Any) -> Any:
    """A schema whose objects have no properties but those it names, unless it says that they may.

    Small models make arguments up, and a function refuses what it does not know. Where schemas are
    put together to one object, each is left as it is, and so are those that others refer to.
    """
    if not isinstance(schema, dict):
        return schema
    found = _closed(schema)
    if not _joins_references(schema):
        found |= _each_closed(schema, _SHARED)
    return found


def _closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    found = {**schema, **_each_closed(schema, _BY_NAME)}
    for key in _INSIDE:
        if key in found:
            found[key] = _closed(found[key])
    for key in _LISTED:
        if isinstance(found.get(key), list) and "properties" not in found:
            found[key] = [_closed(one) for one in found[key]]
    return {**found, "additionalProperties": False} if _names_all(found) else found


def _each_closed(schema: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The parts of a schema under these keys, in which schemas have names."""
    return {
        key: {name: _closed(one) for name, one in schema[key].items()}
        for key in keys
        if isinstance(schema.get(key), dict)
    }


def _names_all(schema: dict[str, Any]) -> bool:
    """Whether an object's properties are all that it may have, as far as can be seen."""
    properties, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(properties, dict) or any(key in schema for key in (*_OPEN, *_TOGETHER)):
        return False
    return isinstance(required, list) and all(
        isinstance(name, str) and name in properties for name in required
    )


def _joins_references(schema: Any, *, is_joined: bool = False) -> bool:
    """Whether a schema that is referred to may be one part of an object of several."""
    if isinstance(schema, list):
        return any(_joins_references(one, is_joined=is_joined) for one in schema)
    if not isinstance(schema, dict):
        return False
    is_joined = is_joined or "properties" in schema
    if is_joined and "$ref" in schema:
        return True
    return any(
        _joins_references(one, is_joined=key == "allOf" or (is_joined and key in _TOGETHER))
        for key, one in schema.items()
    )
