"""Chats become prompts and settings; outputs, parts of an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from support.toy_chat import HEADER, TEMPLATE, chatting_llm, chatting_tokenizer

from foretell import LLM, Conversation, GenerationConfig
from foretell.errors import ContextLengthError, RequestError
from foretell.inputs.chat import ChatRequest, chat_request
from foretell.text.tokenizer import Tokenizer

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
THINKING = TEMPLATE + "{# <think> #}"
MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>")


def tokenizer(template: str = TEMPLATE, marks: tuple[str, ...] = ()) -> Tokenizer:
    found = chatting_tokenizer(marks)
    found.chat_template = template
    return found


def asked(
    words: Tokenizer | None = None, config: GenerationConfig | None = None, **settings: Any
) -> ChatRequest:
    return chat_request(words or tokenizer(), HELLO, config, settings)


def test_the_prompt_is_the_templates() -> None:
    words = tokenizer()
    said = words.decode(asked(words).read(), skip_special_tokens=False)
    assert said == f"<|start|>user\nhello<|end|>{HEADER}"


def test_a_plain_chat_has_the_users_settings_and_no_others() -> None:
    found = asked(temperature=0.5, tools=None)
    assert found.settings == {"temperature": 0.5}
    assert found.parser.is_plain


ASK: list[Callable[[LLM, list[dict[str, str]]], Any]] = [
    lambda llm, messages: llm.chat(messages),
    lambda llm, messages: next(llm.stream_chat(messages)),
    lambda llm, messages: next(Conversation(llm).say(messages[0]["content"])),
]


@pytest.mark.parametrize("ask", ASK)
def test_one_that_cannot_fit_is_refused_before_it_is_encoded(
    ask: Callable[[LLM, list[dict[str, str]]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    llm = chatting_llm()
    monkeypatch.setattr(Tokenizer, "encode_parts", None)
    with pytest.raises(ContextLengthError, match=r"^a chat of 1000.. characters: at least"):
        ask(llm, [{"role": "user", "content": "x" * 100_000}])


FORMS: list[dict[str, Any]] = [
    {"json_schema": {"type": "object"}},
    {"json": True},
    {"regex": "a+"},
    {"choices": ["a", "b"]},
    {"grammar": 'start: "a"'},
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("is_config", [False, True])
def test_a_form_comes_behind_thoughts_where_the_template_knows_any(
    form: Mapping[str, Any], is_config: bool
) -> None:
    given = {"config": GenerationConfig(**form)} if is_config else form
    thinking = tokenizer(THINKING)
    assert asked(thinking, **given).settings.get("allow_thinking") is True
    assert "allow_thinking" not in asked(**given).settings
    assert asked(thinking, allow_thinking=False, **given).settings["allow_thinking"] is False
    assert "allow_thinking" not in asked(thinking, temperature=0.5).settings


def test_tools_are_a_structural_tag_which_json_may_stand_beside() -> None:
    found = asked(tools=[TOOL]).settings
    assert [*found] == ["structural_tag"]
    beside = asked(tools=[TOOL], json=True).settings
    assert {*beside} == {"structural_tag", "json"}
    assert GenerationConfig(**beside).form == "structural_tag"
    unmarked = {"tools": [TOOL], "tool_syntax": "llama3"}
    assert asked(**unmarked).settings == {}
    assert {*asked(**unmarked, json=True).settings} == {"structural_tag", "json"}


def test_marks_that_are_control_tokens_are_shown() -> None:
    assert asked(tokenizer(THINKING, MARKS)).settings == {"show_special_tokens": True}
    assert asked(tokenizer(THINKING)).settings == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parallel_tool_calls": 1}, "parallel_tool_calls=1 must be True or False"),
        ({"tool_choice": "required"}, "needs tools"),
        ({"tools": [TOOL], "tool_choice": "g"}, "names no tool"),
        ({"tools": [TOOL], "tool_syntax": "x"}, "tool_syntax='x' is unknown"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        asked(**settings)
