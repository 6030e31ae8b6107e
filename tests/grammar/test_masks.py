"""Masks of JSON schemas against a validator: nothing valid is ruled out, nothing wrong passes.

Every value of a small universe is judged by jsonschema and by the masks, byte by byte; and every
short text that the masks let through is read and validated.
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from support.grammars import drawn_text, grammar_of, texts_of

from benchmarks.oracles.json_schemas import compiler_of, is_reachable, spellings

SCALARS: list[Any] = [
    *(None, True, False, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 99, 100, -1, -3, 0.5, 1.5, 2.0, 2.5),
    *("", "a", "b", "ab", "abc", "aab", "b1", "1", "12", "2020-01-31", "a b", "é", "日本", "x" * 6),
]
LISTS: list[Any] = [
    *([], [1], [2], [1, 2], [1, 1], [1, 2, 3], ["a"], ["a", "b"], ["a", 1], [1, "a"], [None]),
    *([[]], [[1]], [[1], [2, 3]], [True, False], [{"a": 1}], [{}], [1.5], [1, "a", True]),
]
OBJECTS: list[Any] = [
    *({}, {"a": 1}, {"a": 2}, {"a": "a"}, {"a": None}, {"b": 1}, {"b": "x"}, {"c": True}),
    *({"a": 1, "b": 2}, {"a": 1, "b": "x"}, {"b": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}),
    *({"a": []}, {"a": [1, 2]}, {"a": {}}, {"a": {"b": 1}}, {"a": {"a": {"a": None}}}),
    *({"x1": 1}, {"x1": "a"}, {"a": 1, "x1": 2}, {"": 1}, {"kind": "x", "v": 1}),
    *({"kind": "y", "w": "b"}, {"kind": "x", "w": "b"}, {"v": 1, "next": {"v": 2}}),
    *({"v": 1, "next": None}, {"a": 1, "d": 4}, {"a": 5, "b": True}, {"name": "ab", "tags": []}),
    {"name": "ab", "tags": ["a", "b"]},
]
ALPHABET = b'{}[]":,.-012ab \n\\u61nulxktrefaldocsivywgm'
UNIVERSE = [*SCALARS, *LISTS, *OBJECTS]

INT = {"type": "integer"}
STRING = {"type": "string"}
AB = {"a": INT, "b": STRING}
SCHEMAS: dict[str, Any] = {
    "anything": {},
    "true": True,
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "integer": INT,
    "number": {"type": "number"},
    "string": STRING,
    "array": {"type": "array"},
    "object": {"type": "object"},
    "two types": {"type": ["integer", "null"]},
    "three types": {"type": ["string", "boolean", "array"]},
    "const number": {"const": 2},
    "const string": {"const": "ab"},
    "const object": {"const": {"a": 1}},
    "const list": {"const": [1, 2]},
    "const null": {"const": None},
    "enum": {"enum": ["a", 1, None, True, [1], {"b": 1}]},
    "enum and type": {"enum": ["a", 1, "b", 2], "type": "string"},
    "enum, prefixes": {"enum": ["a", "ab", "abc"]},
    "minimum": {"type": "integer", "minimum": 3},
    "maximum": {"type": "integer", "maximum": 9},
    "span": {"type": "integer", "minimum": -2, "maximum": 12},
    "exclusive": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 10},
    "number span": {"type": "number", "minimum": 0.5, "maximum": 2.5},
    "number exclusive": {"type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 2.5},
    "bounds of any type": {"minimum": 3},
    "multipleOf": {"type": "integer", "multipleOf": 3},
    "multipleOf, bounds": {"type": "integer", "multipleOf": 3, "minimum": 4, "maximum": 99},
    "multipleOf half": {"type": "number", "multipleOf": 0.5},
    "minLength": {"type": "string", "minLength": 2},
    "maxLength": {"type": "string", "maxLength": 2},
    "lengths": {"type": "string", "minLength": 1, "maxLength": 3},
    "length of any type": {"maxLength": 1},
    "pattern": {"type": "string", "pattern": "^a+b?$"},
    "pattern inside": {"type": "string", "pattern": "b"},
    "pattern and length": {"type": "string", "pattern": "^[a-z]*$", "maxLength": 2},
    "digits": {"type": "string", "pattern": "^\\d+$"},
    "minItems": {"type": "array", "minItems": 2},
    "maxItems": {"type": "array", "maxItems": 1},
    "items": {"type": "array", "items": INT},
    "items, bounds": {"type": "array", "items": INT, "minItems": 1, "maxItems": 2},
    "no items": {"type": "array", "items": False},
    "prefixItems": {"type": "array", "prefixItems": [INT, STRING]},
    "tuple": {"type": "array", "prefixItems": [INT, STRING], "items": False, "minItems": 2},
    "prefix and items": {"type": "array", "prefixItems": [STRING], "items": INT},
    "nested arrays": {"type": "array", "items": {"type": "array", "items": INT}},
    "properties": {"type": "object", "properties": AB},
    "required": {"type": "object", "properties": AB, "required": ["a"]},
    "required without property": {"type": "object", "required": ["c"]},
    "closed": {"type": "object", "properties": AB, "additionalProperties": False},
    "closed, required": {
        "type": "object",
        "properties": AB,
        "additionalProperties": False,
        "required": ["a", "b"],
    },
    "additional": {"type": "object", "properties": {"a": INT}, "additionalProperties": STRING},
    "a map": {"type": "object", "additionalProperties": INT},
    "properties of any type": {"properties": {"a": INT}},
    "patternProperties": {"type": "object", "patternProperties": {"^x": INT}},
    "patternProperties, closed": {
        "type": "object",
        "patternProperties": {"^x": INT},
        "additionalProperties": False,
    },
    "maxProperties": {"type": "object", "maxProperties": 1},
    "minProperties": {"type": "object", "minProperties": 2, "required": ["a"]},
    "minProperties 1": {"type": "object", "minProperties": 1, "additionalProperties": INT},
    "nested": {"type": "object", "properties": {"a": {"type": "object", "required": ["b"]}}},
    "allOf": {"allOf": [INT, {"minimum": 3}, {"maximum": 10}]},
    "allOf objects": {"allOf": [{"required": ["a"]}, {"properties": {"a": INT}}]},
    "anyOf": {"anyOf": [INT, {"type": "string", "maxLength": 1}]},
    "anyOf overlapping": {"anyOf": [{"type": "integer", "minimum": 5}, {"enum": [1, 6, "a"]}]},
    "anyOf objects": {
        "anyOf": [
            {"type": "object", "properties": {"a": INT}, "required": ["a"]},
            {"type": "object", "properties": {"b": INT}, "required": ["b"]},
        ]
    },
    "oneOf disjoint": {"oneOf": [INT, STRING, {"type": "null"}]},
    "oneOf by const": {
        "oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": "x"}, "v": INT},
                "required": ["kind", "v"],
                "additionalProperties": False,
            },
            {
                "type": "object",
                "properties": {"kind": {"const": "y"}, "w": STRING},
                "required": ["kind", "w"],
                "additionalProperties": False,
            },
        ]
    },
    "$ref": {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer", "minimum": 2}}},
    "$ref and siblings": {"$ref": "#/$defs/n", "maximum": 5, "$defs": {"n": INT}},
    "definitions": {"items": {"$ref": "#/definitions/n"}, "definitions": {"n": INT}},
    "recursive": {
        "type": "object",
        "properties": {"v": INT, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["v"],
        "additionalProperties": False,
    },
    "recursive map": {"anyOf": [{"type": "null"}, {"additionalProperties": {"$ref": "#"}}]},
    "$anchor": {"$ref": "#n", "$defs": {"n": {"$anchor": "n", **INT}}},
    "annotations": {"type": "integer", "title": "t", "description": "d", "default": 3},
    "asked for nothing": {"type": "array", "uniqueItems": False, "items": INT},
    "tags": {
        "type": "object",
        "properties": {"name": STRING, "tags": {"type": "array", "items": STRING}},
        "required": ["name", "tags"],
    },
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_the_masks_say_what_the_validator_says(schema):
    grammar = grammar_of(json_schema=schema)
    validator = jsonschema.Draft202012Validator(schema)
    wrong = [
        (value, "ruled out" if validator.is_valid(value) else "let through")
        for value in UNIVERSE
        if any(is_reachable(grammar, text) for text in spellings(value))
        != validator.is_valid(value)
    ]
    assert wrong == []


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_each_text_that_gets_through_is_valid(schema):
    validator = jsonschema.Draft202012Validator(schema)
    grammar = grammar_of(json_schema=schema, json_whitespace="compact")
    texts = texts_of(grammar, b'{}[]":,.-012abnulxk', 1500)
    assert [text for text in texts if not validator.is_valid(json.loads(text))] == []


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_each_text_that_is_drawn_is_valid(schema):
    validator = jsonschema.Draft202012Validator(schema)
    grammar = grammar_of(json_schema=schema)
    texts = [text for seed in range(25) if (text := drawn_text(grammar, ALPHABET, seed))]
    assert [text for text in texts if not validator.is_valid(json.loads(text))] == []
    assert texts


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_longer_token_is_allowed_where_its_bytes_are(schema):
    pieces = (
        b'{"',
        b'":',
        b'",',
        b'"}',
        b'"a"',
        b'"a":1',
        b"12",
        b"[1",
        b"1,",
        b"]]",
        b"ab",
        b"}}",
    )
    grammar = grammar_of(compiler_of(*pieces), json_schema=schema)
    for value in [*LISTS[:8], *OBJECTS[:12]]:
        matcher = grammar.start()
        for byte in next(spellings(value)).encode():
            allowed = matcher.allowed()
            if not allowed[byte]:
                break
            found = [matcher.validate(list(piece)) == len(piece) for piece in pieces]
            assert allowed[256:].tolist() == found
            matcher.advance([byte])


def test_there_are_enough_schemas():
    assert len(SCHEMAS) >= 60
