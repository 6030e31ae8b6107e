"""Calls in answers: those of each syntax, what only looks like one, and answers cut anywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chat_templates import CHATML, TOOL_TEMPLATES

from foretell.errors import RequestError
from foretell.text.tools.reader import CallReader, TextPart
from foretell.text.tools.syntaxes import SYNTAXES, find_syntax

NAMES = ("f", "get.weather-1")
Calls = list[tuple[str, str]]


def read(syntax: str, text: str, cuts: Sequence[int] = ()) -> tuple[str, Calls]:
    """What is said in an answer that comes in these pieces, and its calls."""
    reader = CallReader(SYNTAXES[syntax], NAMES)
    ends = [*sorted(cuts), len(text)]
    pieces = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    parts = [part for piece in pieces for part in reader.feed(piece)] + reader.finish()
    said = "".join(part.text for part in parts if isinstance(part, TextPart))
    calls: list[list[str]] = []
    for part in parts:
        if isinstance(part, TextPart):
            continue
        if part.name is not None:
            calls.append([part.name, ""])
        assert part.call == len(calls) - 1
        calls[-1][1] += part.arguments
    return said, [(name, arguments) for name, arguments in calls]


F = '{"name": "f", "arguments": {"x": "}\\"{", "y": [1, {"z": null}]}}'
F_READ = ("f", '{"x": "}\\"{", "y": [1, {"z": null}]}')
G = '{ "arguments" : { } , "name":"get.weather-1"}'
G_READ = ("get.weather-1", "{ }")
P = '{"name": "f", "parameters": {"x": 1}}'
P_READ = ("f", '{"x": 1}')

ANSWERS = [
    ("hermes", f"<tool_call>\n{F}\n</tool_call>", "", [F_READ]),
    ("hermes", f"Sure. \n<tool_call>{F}</tool_call>\n<tool_call>\n{G}", "Sure.", [F_READ, G_READ]),
    ("hermes", f"<tool_call>{F}</tool_call> Done.", "Done.", [F_READ]),
    ("hermes", '<tool_call>{"name": "f", "arguments": {"x": "a', "", [("f", '{"x": "a')]),
    ("mistral", f"[TOOL_CALLS] [{F}, {G}]", "", [F_READ, G_READ]),
    ("mistral", f"[TOOL_CALLS][{F}", "", [F_READ]),
    ("mistral", f"[TOOL_CALLS]{F}", "", [F_READ]),
    ("mistral", f"[TOOL_CALLS] [ {F}]", "", [F_READ]),
    ("llama3", f"{P},;{P}", f";{P}", [P_READ]),
    ("llama3", P, "", [P_READ]),
    ("llama3", f"\n<|python_tag|> {P}; {P}", "", [P_READ, P_READ]),
    ("llama3", f"{P}\n{F}", "", [P_READ, F_READ]),
    ("json", f"```json\n{P}\n```", "", [P_READ]),
    ("json", f"```\n{P}\n```\nDone.", "Done.", [P_READ]),
    ("json", F, "", [F_READ]),
]

TEXTS = [
    ("hermes", "Hello, <b>world</b> <tool"),
    ("hermes", "a <tool_call> none"),
    ("hermes", "<tool_call>"),
    ("hermes", '<tool_call>{"name": "unknown", "arguments": {}}</tool_call>'),
    ("hermes", '<tool_call>{"arguments": {}}</tool_call>'),
    ("hermes", "<tool_call>{name: f}</tool_call>"),
    ("hermes", "plain \n\n"),
    ("hermes", ""),
    ("mistral", "[TOOL_CALLS] none"),
    ("mistral", "[1, 2]"),
    ("llama3", '{"a": 1} is an object'),
    ("llama3", f"Hello {P}"),
    ("llama3", "{"),
    ("llama3", "<|python"),
    ("json", "```python\nprint()\n```\n"),
    ("json", "{}"),
    ("json", '{"name": 3}'),
]


@pytest.mark.parametrize(("syntax", "text", "said", "calls"), ANSWERS)
def test_calls_are_read_however_the_answer_is_cut(
    syntax: str, text: str, said: str, calls: Calls
) -> None:
    assert read(syntax, text) == (said, calls)
    assert read(syntax, text, range(len(text))) == (said, calls)
    for cut in range(len(text)):
        assert read(syntax, text, [cut]) == (said, calls)


@pytest.mark.parametrize(("syntax", "text"), TEXTS)
def test_what_only_looks_like_a_call_is_text(syntax: str, text: str) -> None:
    assert read(syntax, text) == (text, [])
    assert read(syntax, text, range(len(text))) == (text, [])
    for cut in range(len(text)):
        assert read(syntax, text, [cut]) == (text, [])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from([*SYNTAXES]),
    st.dictionaries(st.text(max_size=5), VALUES, max_size=4),
    st.lists(st.integers(0, 400), max_size=6),
    st.sampled_from([None, 0, 2]),
)
def test_any_arguments_come_back(
    syntax: str, arguments: dict[str, object], cuts: list[int], indent: int | None
) -> None:
    found = SYNTAXES[syntax]
    call = json.dumps({"name": "f", found.arguments: arguments}, indent=indent)
    text = found.begin + (f"[{call}, {call}]" if found.is_list else call) + found.end
    said, calls = read(syntax, text, [cut for cut in cuts if cut < len(text)])
    assert said == ""
    assert [name for name, _ in calls] == ["f"] * (2 if found.is_list else 1)
    assert all(json.loads(written) == arguments for _, written in calls)


@pytest.mark.parametrize("name", TOOL_TEMPLATES)
def test_a_template_shows_how_its_model_writes_calls(name: str) -> None:
    assert find_syntax(None, TOOL_TEMPLATES[name]).name == name
    assert find_syntax("json", TOOL_TEMPLATES[name]).name == "json"


def test_models_that_know_no_tools_are_told_to_write_as_hermes() -> None:
    assert find_syntax(None, CHATML).name == "hermes"
    assert find_syntax(None, None).name == "hermes"


def test_an_unknown_syntax_is_refused() -> None:
    with pytest.raises(RequestError, match="tool_syntax='herms' is unknown: did you mean 'hermes'"):
        find_syntax("herms", None)
