"""JSON schemas: what they are closed to."""

from __future__ import annotations

from typing import Any

import pytest

from foretell.config.schemas import closed

X = {"properties": {"x": {}}}
CLOSED = {**X, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (X, CLOSED),
        ({"properties": {"y": X}}, {"properties": {"y": CLOSED}, "additionalProperties": False}),
        ({"items": X}, {"items": CLOSED}),
        ({"anyOf": [X, {"type": "null"}]}, {"anyOf": [CLOSED, {"type": "null"}]}),
        ({"$defs": {"d": X}, "$ref": "#/$defs/d"}, {"$defs": {"d": CLOSED}, "$ref": "#/$defs/d"}),
        ({**X, "additionalProperties": True}, {**X, "additionalProperties": True}),
        ({**X, "patternProperties": {"^a": {}}}, {**X, "patternProperties": {"^a": {}}}),
        ({"allOf": [X, X]}, {"allOf": [X, X]}),
        ({**X, "anyOf": [X]}, {**X, "anyOf": [X]}),
        ({"type": "object"}, {"type": "object"}),
        (True, True),
    ],
)
def test_objects_have_no_properties_but_those_that_are_named(schema: Any, expected: Any) -> None:
    assert closed(schema) == expected
