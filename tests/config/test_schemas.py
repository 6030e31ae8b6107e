"""JSON schemas: what they are closed to."""

from __future__ import annotations

from typing import Any

import pytest

from foretell import ConfigError, GenerationConfig
from foretell.config.schemas import closed, json_schema

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


@pytest.mark.parametrize(
    "joined",
    [
        {"allOf": [{"$ref": "#/$defs/x"}, {"properties": {"y": {}}}]},
        {"properties": {"y": {}}, "$ref": "#/$defs/x"},
        {"properties": {"y": {}}, "anyOf": [{"$ref": "#/$defs/x"}, {"$ref": "#/$defs/z"}]},
    ],
)
def test_what_is_a_part_of_objects_stays_open(joined: Any) -> None:
    for schema in (joined, {"items": joined}):
        whole = {**schema, "$defs": {"x": X}}
        assert closed(whole) == whole


def test_shared_schemas_are_closed_where_they_stand_alone() -> None:
    schema = {"properties": {"x": {"$ref": "#/$defs/x"}}}
    found = closed({**schema, "$defs": {"x": X}})
    assert found == {**schema, "$defs": {"x": CLOSED}, "additionalProperties": False}


@pytest.mark.parametrize("required", [["x", "y"], [["x"]], "x"])
def test_an_object_that_needs_what_it_does_not_name_stays_open(required: Any) -> None:
    schema = {**X, "required": required}
    assert closed(schema) == schema


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        ({"type": "object"}, '{"type": "object"}'),
        ({"type": "object", "title": "Cat", "description": "x" * 40}, "Cat"),
        ({"type": "object", "title": "x" * 41}, "(72 characters)"),
    ],
)
def test_a_schema_shows_whole_or_by_its_name(schema, shown):
    assert str(json_schema("json_schema", schema)) == shown


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {f"p{i}": {} for i in range(200_000)}},
        {"enum": ["x" * 2**19, "y" * 2**19]},
        {"enum": [0] * 2**20},
        {"enum": [f"entry {i}" for i in range(100_000)]},
        {"enum": [None, {"const": "x" * 2**19}, ["y" * 2**19]]},
        {"x" * 2**20: True},
    ],
)
def test_a_schema_that_is_too_long_is_refused_before_it_is_written(
    schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("json.dumps", None)
    with pytest.raises(ConfigError, match="json_schema has more than 1048576 characters"):
        GenerationConfig(json_schema=schema)


@pytest.mark.parametrize(
    ("step", "text", "is_right"),
    [
        (0.01, "0.14", True),  # not by float64: 14.000000000000002
        (0.01, "0.57", True),
        (0.01, "0.145", False),
        (0.1, "3", True),
        (3, "9.0", True),
        (3, "10", False),
        (0.01, "1e300", True),
        (1e-300, "1", True),
        (2, f"1{'0' * 4000}", True),
        (0.01, "1e999", True),
        (0.01, '"0.145"', True),
    ],
)
def test_multiples_are_those_of_decimals(step: float, text: str, is_right: bool) -> None:
    errors = json_schema("json_schema", {"multipleOf": step}).errors_of(text)
    assert errors == ([] if is_right else [f"$: {text} is not a multiple of {step}"])
