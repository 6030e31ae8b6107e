"""Which tools an answer may call, and what its arguments are held to."""

from __future__ import annotations

from typing import Any

import pytest
from support.grammars import grammar_of

from foretell.config.schemas import closed
from foretell.errors import ConfigError, RequestError
from foretell.text.tools.definitions import MAX_TOOLS
from foretell.text.tools.use import tool_use

F = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
G = {"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}}
PARAMETERS = {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}}}
ONE = {"type": "function", "function": {"name": "g"}}


@pytest.mark.parametrize(
    ("choice", "names", "is_required"),
    [
        (None, ("f", "g"), False),
        ("auto", ("f", "g"), False),
        ("required", ("f", "g"), True),
        ("g", ("g",), True),
        (ONE, ("g",), True),
        ({"type": "function", "name": "g"}, ("g",), True),
        ({"type": "allowed_tools", "mode": "auto", "tools": [ONE]}, ("g",), False),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [ONE]}},
            ("g",),
            False,
        ),
    ],
)
def test_choices(choice: Any, names: tuple[str, ...], is_required: bool) -> None:
    use = tool_use([F, G], choice)
    assert use is not None
    assert (use.names, use.is_required) == (names, is_required)


def test_no_tools_or_none_of_them_is_nothing() -> None:
    assert tool_use(None) is None
    assert tool_use([], "auto") is None
    assert tool_use([F], "none") is None
    assert tool_use(None, "none") is None


@pytest.mark.parametrize(
    "choice", [3, "", "h", {}, {"type": "function"}, {"type": "custom"}, ["f"]]
)
def test_what_is_no_choice_is_refused(choice: Any) -> None:
    with pytest.raises(RequestError, match="tool_choice="):
        tool_use([F, G], choice)


def test_a_choice_needs_tools() -> None:
    with pytest.raises(RequestError, match="needs tools"):
        tool_use(None, "required")


def test_calls_are_held_to_their_form() -> None:
    use = tool_use([F], "required", is_parallel=False)
    assert use is not None
    tag = use.settings()["structural_tag"]
    (structure,) = tag["structures"]
    assert structure["begin"] == '<tool_call>\n{"name": "f", "arguments": '
    assert structure["end"] == "}\n</tool_call>"
    assert (tag["at_least_one"], tag["stop_after_first"]) == (True, True)
    unmarked = tool_use([F], "auto", syntax="llama3")
    assert unmarked is not None
    assert unmarked.settings() == {}


UNSUPPORTED = {"type": "object", "properties": {"x": {"type": "array", "uniqueItems": True}}}


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": UNSUPPORTED, **more}}


def test_a_strict_tool_is_held_to_all_of_its_schema() -> None:
    loose = tool_use([named("f"), named("g", strict=False)])
    assert loose is not None
    assert len(grammar_of(**loose.settings()).passed_over) == 2
    mixed = tool_use([named("f"), named("g", strict=True)])
    assert mixed is not None
    with pytest.raises(ConfigError, match=r"structures\[1\].schema: .*uniqueItems"):
        grammar_of(**mixed.settings())


def test_unmarked_calls_are_held_to_their_form_beside_json() -> None:
    use = tool_use([F], "auto", syntax="llama3")
    assert use is not None
    schema = {"type": "object", "properties": {"name": {"type": "integer"}}, "required": ["name"]}
    grammar = grammar_of(**use.settings(has_form=True), json_schema=closed(schema))
    assert grammar.accepts('{"name": 3}')
    assert grammar.accepts('{"name": "f", "parameters": {"city": "Oslo"}}')
    for text in ('{"name": "g", "parameters": {"city": "Oslo"}}', '{"name": "f"}', "hello", ""):
        assert not grammar.accepts(text)


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_all_tools_that_there_may_be_can_be_called(choice: str) -> None:
    tools = [
        {"type": "function", "function": {"name": f"tool_{index}", "parameters": PARAMETERS}}
        for index in range(MAX_TOOLS)
    ]
    use = tool_use(tools, choice)
    assert use is not None
    grammar = grammar_of(**use.settings())
    for name in (use.names[0], use.names[-1]):
        begin, end = use.syntax.around(name)
        matcher = grammar.start()
        for byte in f'{begin}{{"city": "Oslo"}}{end}'.encode():
            assert matcher.allowed()[byte]
            matcher.advance([byte])
