"""Dataclasses and TypedDicts as JSON schemas, and JSON as their instances.

Fields may be str, int, float, bool, None, Any, Literal, enums, lists, tuples, dicts with str keys,
unions, Annotated (what is annotated is passed over), and dataclasses and TypedDicts in turn.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from foretell.errors import ConfigError

PRIMITIVES: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    None: {"type": "null"},
    Any: {},
    list: {"type": "array"},
    dict: {"type": "object"},
}
_UNIONS = (Union, types.UnionType)
_LISTS = (list, Sequence)
_DICTS = (dict, Mapping)
_WRAPPERS = (Annotated, Required, NotRequired)


def schema_of(setting: str, kind: type) -> dict[str, Any]:
    """The JSON schema of a dataclass or a TypedDict; ConfigError, by path, for any other type."""
    if not is_record(kind):
        raise ConfigError(
            f"{setting}={kind.__name__} must be a pydantic model, a dataclass or a TypedDict"
        )
    writer = _SchemaWriter(setting)
    try:
        schema = writer.record(kind, kind.__name__)
    except (NameError, TypeError) as error:  # of a hint that names what is not there
        raise ConfigError(
            f"{setting}={kind.__name__}: its types cannot be read: {error}"
        ) from error
    return {**schema, "$defs": writer.definitions} if writer.definitions else schema


def value_of(kind: Any, data: Any) -> Any:
    """An instance of a type, from JSON that its schema allows."""
    kind = _bare(kind)
    if get_args(kind):
        return _filled(get_origin(kind), get_args(kind), data)
    if is_record(kind):
        hints = get_type_hints(kind, include_extras=True)
        return kind(**{name: value_of(hints[name], value) for name, value in data.items()})
    is_called = kind is float or (isinstance(kind, type) and issubclass(kind, Enum))
    return kind(data) if is_called else data


def _filled(origin: Any, arguments: Sequence[Any], data: Any) -> Any:
    """A value of a type with arguments."""
    if origin in _UNIONS:
        return next((value_of(one, data) for one in arguments if _suits(one, data)), data)
    if origin in _LISTS:
        return [value_of(arguments[0], one) for one in data]
    if origin is tuple:
        each = [arguments[0]] * len(data) if arguments[1:] == (...,) else arguments
        return tuple(value_of(one, item) for one, item in zip(each, data, strict=True))
    if origin in _DICTS:
        return {name: value_of(arguments[1], one) for name, one in data.items()}
    return data


def is_record(kind: Any) -> bool:
    """Whether it is a dataclass or a TypedDict."""
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or is_typeddict(kind))


def _bare(kind: Any) -> Any:
    while get_origin(kind) in _WRAPPERS:
        kind = get_args(kind)[0]
    return kind


def _suits(kind: Any, data: Any) -> bool:
    """Whether JSON data may be of this member of a union."""
    kind = _bare(kind)
    origin = get_origin(kind)
    checks: tuple[tuple[bool, Callable[[], bool]], ...] = (
        (kind is Any, lambda: True),
        (origin is Literal, lambda: data in get_args(kind)),
        (origin in _UNIONS, lambda: any(_suits(one, data) for one in get_args(kind))),
        (origin in (*_LISTS, tuple), lambda: isinstance(data, list)),
        (origin in _DICTS, lambda: isinstance(data, dict)),
        (is_record(kind), lambda: isinstance(data, dict) and _has_fields(kind, data)),
        (kind is float, lambda: isinstance(data, (int, float)) and not isinstance(data, bool)),
        (kind is int, lambda: isinstance(data, int) and not isinstance(data, bool)),
        (kind in (None, type(None)), lambda: data is None),
        (isinstance(kind, type) and issubclass(kind, Enum), lambda: _is_member(kind, data)),
        (True, lambda: isinstance(data, kind)),
    )
    return next(suits() for holds, suits in checks if holds)


def _is_member(kind: Any, data: Any) -> bool:
    return any(data == one.value for one in kind)


def _has_fields(kind: Any, data: Mapping[str, Any]) -> bool:
    return {*_required(kind)} <= {*data} <= {*get_type_hints(kind)}


def _required(kind: Any) -> list[str]:
    if is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        return [name for name, hint in hints.items() if _is_required(kind, name, hint)]
    missing = dataclasses.MISSING
    return [
        one.name
        for one in dataclasses.fields(kind)
        if one.init and one.default is missing and one.default_factory is missing
    ]


def _is_required(kind: Any, name: str, hint: Any) -> bool:
    """Python itself does not see `NotRequired` where annotations are texts."""
    origin = get_origin(hint)
    return origin is Required or (origin is not NotRequired and name in kind.__required_keys__)


class _SchemaWriter:
    """Writes schemas; records that lie in others become definitions, so that they may recur."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self.definitions: dict[str, Any] = {}

    def record(self, kind: type, path: str) -> dict[str, Any]:
        hints = get_type_hints(kind, include_extras=True)
        names = [*hints]
        if dataclasses.is_dataclass(kind):
            names = [one.name for one in dataclasses.fields(kind) if one.init]
        return {
            "type": "object",
            "properties": {name: self.schema(hints[name], f"{path}.{name}") for name in names},
            "required": _required(kind),
            "additionalProperties": False,
        }

    def schema(self, kind: Any, path: str) -> dict[str, Any]:
        kind = _bare(kind)
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in _UNIONS:
            return {"anyOf": [self.schema(one, path) for one in arguments]}
        if origin is Literal:
            return {"enum": [*arguments]}
        if origin in (*_LISTS, *_DICTS, tuple):
            return self._container(origin, arguments, path)
        if is_record(kind):
            return self._reference(kind, path)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {"enum": [one.value for one in kind]}
        try:
            return dict(PRIMITIVES[kind])
        except (KeyError, TypeError):
            raise ConfigError(
                f"{self._setting}: {path} is {kind}, which has no JSON schema here: use plain "
                "types, or a pydantic model"
            ) from None

    def _reference(self, kind: type, path: str) -> dict[str, Any]:
        if kind.__name__ not in self.definitions:
            self.definitions[kind.__name__] = {}  # it may come to refer to itself
            self.definitions[kind.__name__] = self.record(kind, path)
        return {"$ref": f"#/$defs/{kind.__name__}"}

    def _container(self, origin: Any, arguments: Sequence[Any], path: str) -> dict[str, Any]:
        if origin in _LISTS or arguments[1:] == (...,):
            return {"type": "array", "items": self.schema(arguments[0], f"{path}[]")}
        if origin in _DICTS:
            if _bare(arguments[0]) is not str:
                raise ConfigError(f"{self._setting}: {path} has keys that are no str: must be")
            return {"type": "object", "additionalProperties": self.schema(arguments[1], path)}
        items = [self.schema(one, f"{path}[{i}]") for i, one in enumerate(arguments)]
        return {
            "type": "array",
            "prefixItems": items,
            "items": False,
            "minItems": len(items),
            "maxItems": len(items),
        }
