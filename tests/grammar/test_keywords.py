"""Keywords of a schema: what cannot be held to, what is no keyword, what would take too long."""

from __future__ import annotations

from typing import Any

import pytest
from support.grammars import grammar_of

from foretell import ConfigError
from foretell.grammar import keywords
from foretell.grammar.blame import find_cause
from foretell.grammar.messages import MAX_MESSAGE, plain_message


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "string"}, []),
        ({"uniqueItems": True}, ["'uniqueItems' at $ is not supported"]),
        ({"uniqueItems": False}, []),
        ({"then": {}}, []),
        ({"if": {}, "then": {}}, ["'if' at $", "'then' at $"]),
        ({"items": {"not": {}}}, ["'not' at $.items"]),
        ({"properties": {"a b": {"contains": {}}}}, ["'contains' at $.properties['a b']"]),
        ({"anyOf": [{}, {"propertyNames": {"maxLength": 1}}]}, ["'propertyNames' at $.anyOf[1]"]),
        ({"multipleOf": 10_001}, ["'multipleOf' at $ is 10001: must be at most 10000"]),
        ({"minProperties": 2, "required": ["a"]}, []),
        ({"minProperties": 3, "required": ["a"]}, ["'minProperties' at $ is 3: must be at most 2"]),
        ({"const": {"not": 1}}, []),
        (True, []),
    ],
)
def test_what_cannot_be_held_to_is_named_with_its_path(schema: Any, found: list[str]) -> None:
    told = [*map(str, keywords.unsupported(schema))]
    assert len(told) == len(found)
    assert all(one.startswith(start) for one, start in zip(told, found, strict=True))
    kept = keywords.without_unsupported(schema)
    assert keywords.unsupported(kept) == []


def test_what_is_no_keyword_is_named_with_a_proposal() -> None:
    (found,) = keywords.unknown({"properties": {"minLenght": {"minLenght": 1}}, "x-mine": 1})
    assert (found.path, found.keyword) == ("$.properties.minLenght", "minLenght")
    assert "minLength" in found.reason


def lists(depth: int) -> dict[str, Any]:
    """A schema of so many objects in each other."""
    found: dict[str, Any] = {}
    for _ in range(depth - 1):
        found = {"type": "array", "items": found}
    return found


def test_what_takes_too_long_is_told() -> None:
    assert keywords.excess({"$ref": "#"}) is None
    assert "nested too deeply" in (keywords.excess(lists(keywords.MAX_DEPTH + 1)) or "")
    many = {"allOf": [{"$ref": "#"}] * (keywords.MAX_REFERENCES + 1)}
    assert "references" in (keywords.excess(many) or "")
    parts = [{"multipleOf": number} for number in (997, 991, 0.5)]
    assert "least common multiple is" in (keywords.excess({"allOf": parts}) or "")
    assert keywords.excess({"properties": dict(zip("abc", parts, strict=True))}) is None


@pytest.mark.parametrize("whitespace", ["free", "compact"])
def test_the_deepest_schema_is_the_deepest_that_the_library_reads(
    monkeypatch: pytest.MonkeyPatch, whitespace: str
) -> None:
    deepest, deeper = lists(keywords.MAX_DEPTH), lists(keywords.MAX_DEPTH + 1)
    assert grammar_of(json_schema=deepest, json_whitespace=whitespace).start().allowed()[ord("[")]
    monkeypatch.setattr(keywords, "MAX_DEPTH", 200)
    with pytest.raises(ConfigError, match="recursion limit"):
        grammar_of(json_schema=deeper, json_whitespace=whitespace)


def test_subschemas_come_in_the_order_of_the_text() -> None:
    schema = {"anyOf": [{"items": {}}, {"x": 1}], "properties": {"a": {"not": {}}, "b": True}}
    paths = ["$", "$.anyOf[0]", "$.anyOf[0].items", "$.anyOf[1]", "$.properties.a"]
    assert [path for path, _ in keywords.subschemas(schema)] == paths


@pytest.mark.parametrize(
    ("schema", "is_open"),
    [
        ({"properties": {"a": {}}}, True),
        ({"properties": {"a": {}}, "additionalProperties": False}, False),
        ({"type": "object"}, False),
        ({"items": {"required": ["a"]}}, True),
    ],
)
def test_open_keys_are_found(schema: Any, is_open: bool) -> None:
    assert keywords.has_open_keys(schema) == is_open


def test_the_innermost_schema_is_to_blame() -> None:
    def message_of(schema: Any) -> str:
        return "no format x" if "'format': 'x'" in str(schema) else ""

    inner = {"type": "string", "format": "x"}
    cause = find_cause({"properties": {"a": {"items": inner}}}, message_of, 100)
    assert str(cause) == "'format' at $.properties.a.items is not supported: no format x"
    assert find_cause({"type": "string"}, message_of, 100) is None
    assert find_cause(True, message_of, 100) is None


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("", ""),
        ("at 3(4): bad\nmore", "bad"),
        ("cannot parse:\n  | x\nerror: no such rule", "cannot parse: no such rule"),
        ("x" * 999, "x" * MAX_MESSAGE + "…"),
    ],
)
def test_messages_are_a_line(said: str, plain: str) -> None:
    assert plain_message(said) == plain
