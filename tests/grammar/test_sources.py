"""From settings to languages: what each accepts, and what comes before it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from support.grammars import grammar_of

from benchmarks.oracles.json_schemas import compiler_of, is_reachable
from foretell import ConfigError, GenerationConfig
from foretell.config.forms import MAX_CHOICES
from foretell.grammar.sources import Progress, Source, Thoughts, source_of

COMPILER = compiler_of()
SCHEMA = {
    "type": "object",
    "properties": {"x": {"type": "integer"}},
    "required": ["x"],
    "additionalProperties": False,
}
FORMS: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({"json_schema": SCHEMA}, ['{"x": 3}', '{"x":-10}'], ["{}", '{"x": "3"}', '{"x": 3} ', "x"]),
    ({"json": True}, ["{}", '{"a": [1, {}]}'], ["[]", "1", ""]),
    ({"regex": "a[bc]+"}, ["ab", "acbc"], ["a", "xab", "ab "]),
    ({"choices": ["a+b", "a\n", "(c)"]}, ["a+b", "a\n", "(c)"], ["aab", "a", "c"]),
    ({"grammar": 'start: "a" b+\nb: "b" | "c"'}, ["ab", "acb"], ["a", "b"]),
    ({"grammar": 'root ::= "a" [bc]+'}, ["ab", "acb"], ["a", "b"]),
]


def source(**settings: Any) -> Source:
    found = source_of(GenerationConfig(**settings))
    assert found is not None
    return found


def test_without_a_form_there_is_none() -> None:
    assert source_of(GenerationConfig()) is None
    assert source_of(GenerationConfig(json=False)) is None


@pytest.mark.parametrize(("form", "good", "bad"), FORMS)
def test_a_form_alone(form: dict[str, Any], good: list[str], bad: list[str]) -> None:
    grammar = COMPILER.compile(source(**form))
    assert all(is_reachable(grammar, text) for text in good)
    assert not any(is_reachable(grammar, text) for text in bad)


@pytest.mark.parametrize("progress", Progress)
@pytest.mark.parametrize(("form", "good", "bad"), FORMS)
def test_a_form_behind_thoughts(
    form: dict[str, Any], good: list[str], bad: list[str], progress: Progress
) -> None:
    thoughts = Thoughts("<think>", "</think>", progress)
    grammar = COMPILER.compile(replace(source(**form), thoughts=thoughts))
    begin = "" if progress is Progress.BEGUN else "<think>"
    for thought in ("", "hm {\n}", "<think> </thin"):
        before = f"{begin}{thought}</think>"
        is_over = progress is Progress.OVER
        assert all(is_reachable(grammar, before + text) != is_over for text in good)
        assert all(is_reachable(grammar, f"{before}\n\n{text}") != is_over for text in good)
        assert not any(is_reachable(grammar, before + text) for text in bad)
    is_needed = progress is Progress.BEGUN
    assert all(is_reachable(grammar, text) != is_needed for text in good)
    assert not any(is_reachable(grammar, text) for text in bad)


TAG = {"begin": "<f>", "schema": SCHEMA, "end": "</f>"}
CALL = '<f>{"x": 1}</f>'


def tagged(**more: Any) -> dict[str, Any]:
    return {"structures": [TAG], "triggers": ["<f>"], **more}


@pytest.mark.parametrize(
    ("more", "settings", "good", "bad"),
    [
        ({}, {}, ["", "hm", CALL, f"hm {CALL} ok {CALL}"], ["<f>x", f"<f>{CALL}"]),
        ({"stop_after_first": True}, {}, ["hm", f"hm {CALL}"], [f"{CALL}ok", CALL + CALL]),
        ({"at_least_one": True}, {}, [CALL, f"{CALL}\n{CALL}"], ["", "hm", f"hm {CALL}"]),
        ({}, {"json": True}, [CALL, CALL + CALL, "{}"], ["", "hm", f"{{}}{CALL}", f"{CALL}{{}}"]),
        ({}, {"json_schema": SCHEMA}, [CALL, '{"x": 2}'], ["{}", '{"y": 2}', "hm"]),
        ({"at_least_one": True}, {"json": True}, [CALL], ["{}", "hm"]),
        ({"stop_after_first": True}, {"json": True}, [CALL, "{}"], [CALL + CALL]),
    ],
)
def test_tags_and_what_comes_in_their_place(
    more: dict[str, Any], settings: dict[str, Any], good: list[str], bad: list[str]
) -> None:
    grammar = grammar_of(structural_tag=tagged(**more), **settings)
    assert all(is_reachable(grammar, text) for text in good)
    assert not any(is_reachable(grammar, text) for text in bad)


def test_a_tag_may_say_itself_whether_it_is_strict() -> None:
    schema = {"type": "array", "uniqueItems": True}
    loose = {"begin": "<f>", "schema": schema, "end": "</f>", "strict": False}
    assert len(grammar_of(structural_tag={"structures": [loose]}).passed_over) == 1
    strict = {**loose, "strict": True}
    for lenient in ({}, {"lenient": True}):
        with pytest.raises(ConfigError, match=r"structures\[0\].schema: 'uniqueItems'"):
            grammar_of(structural_tag={"structures": [strict]}, **lenient)
    unsaid = {key: value for key, value in loose.items() if key != "strict"}
    with pytest.raises(ConfigError, match="uniqueItems"):
        grammar_of(structural_tag={"structures": [unsaid]})
    assert grammar_of(structural_tag={"structures": [unsaid]}, lenient=True).passed_over
    with pytest.raises(ConfigError, match="strict must be true or false"):
        GenerationConfig(structural_tag={"structures": [{**loose, "strict": 1}]})


def test_json_beside_tags_is_held_to_as_strictly_as_is_said() -> None:
    schema = {"type": "array", "uniqueItems": True}
    given = {"structural_tag": tagged(), "json_schema": {**SCHEMA, "properties": {"x": schema}}}
    with pytest.raises(ConfigError, match=r"json_schema: 'uniqueItems' at \$\.properties\.x"):
        grammar_of(**given)
    (said,) = grammar_of(**given, lenient=True).passed_over
    assert said.startswith("json_schema: 'uniqueItems'")


def test_two_forms_that_are_no_json_and_tags_contradict_each_other() -> None:
    for other in ({"regex": "a"}, {"choices": ["a"]}, {"grammar": 'start: "a"'}):
        with pytest.raises(ConfigError, match="a text has one form"):
            GenerationConfig(structural_tag=tagged(), **other)
    with pytest.raises(ConfigError, match="a text has one form"):
        GenerationConfig(json=True, json_schema=SCHEMA)


def test_too_many_choices_are_refused() -> None:
    with pytest.raises(ConfigError, match="choices has"):
        source(choices=["x" * (MAX_CHOICES // 2 + 1), "y" * (MAX_CHOICES // 2)])


def test_equal_sources_are_one() -> None:
    text = json.dumps(SCHEMA)
    assert source(json_schema=text) == source(json_schema=text)
    assert COMPILER.compile(source(regex="a")) is COMPILER.compile(source(regex="a"))
