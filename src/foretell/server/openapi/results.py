"""What `to_dict()` gives, as JSON schemas: read from the types of the results' fields."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from foretell.config import GenerationConfig
from foretell.outputs import JsonMixin, ToolCall
from foretell.server.openapi.settings import Schema


class ResultSchemas:
    """Makes schemas of results, and keeps those of the results inside of them.

    Attributes:
        components: schemas by the names of their classes.
    """

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def reference(self, kind: type) -> Schema:
        """A reference to the schema of a class of results."""
        if kind.__name__ not in self.components:
            self.components[kind.__name__] = {}  # it may have itself inside
            self.components[kind.__name__] = self._object(kind)
        return {"$ref": f"#/components/schemas/{kind.__name__}"}

    def fields(self, kind: type) -> dict[str, Schema]:
        """The schemas of a class's fields, as far as `to_dict()` has them."""
        hints = get_type_hints(kind)
        shown = [one.name for one in dataclasses.fields(kind) if one.repr]
        return {name: self.schema(hints[name]) for name in shown}

    def schema(self, hint: Any) -> Schema:
        """The schema of the values of a type. A float that is infinite is null."""
        origin, arguments = get_origin(hint), get_args(hint)
        if hint in _PLAIN:
            return dict(_PLAIN[hint])
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.schema(one) for one in arguments]}
        if origin in (list, tuple):
            return {"type": "array", "items": self.schema(arguments[0])}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.schema(arguments[1])}
        if isinstance(hint, type) and issubclass(hint, JsonMixin):
            return self.reference(hint)
        raise TypeError(f"{hint} has no schema: must be one of the types of results")

    def _object(self, kind: type) -> Schema:
        fields = self.fields(kind)
        return {"type": "object", "properties": fields, "required": list(fields)}


TOOL_CALL: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "arguments": {"anyOf": [{"type": "string"}, {"type": "object"}]},
            },
            "required": ["name"],
        },
    },
    "required": ["function"],
}
"""A call of a tool: in an answer, all of it is there, and its arguments are a string."""

_PLAIN: Mapping[Any, Schema] = {
    ToolCall: TOOL_CALL,
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"type": ["number", "null"]},
    bytes: {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}},
    type(None): {"type": "null"},
    GenerationConfig: {"type": "object", "description": "the settings in force, by name"},
}
