"""Chats in which tools may be called: from Python, in both faces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from support.toy_chat import TEMPLATE, chatting_tokenizer, saying

from foretell import AsyncLLM
from foretell.errors import RequestError
from foretell.llm import LLM
from foretell.outputs import GenerationOutput
from foretell.text.tokenizer import Tokenizer

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Oslo", "Rome"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>'


def tokenizer(template: str = TEMPLATE, marks: Sequence[str] = ()) -> Tokenizer:
    found = chatting_tokenizer(marks)
    found.chat_template = template
    return found


def asked(
    answer: str,
    template: str = TEMPLATE,
    begins: str = "",
    marks: Sequence[str] = (),
    **settings: Any,
) -> list[GenerationOutput]:
    """The outputs of an answer: whole and streamed, in both faces.

    The answer's turn begins with `begins`, if the template says so; `marks` are control tokens.
    """
    found = []
    with LLM(saying(answer, begins, marks), tokenizer=tokenizer(template, marks)) as llm:
        found.append(llm.chat(HELLO, **settings))
        found.append([*llm.stream_chat(HELLO, **settings)][-1].require_output())

    async def main() -> None:
        backend = saying(answer, begins, marks)
        async with AsyncLLM(backend, tokenizer=tokenizer(template, marks)) as llm:
            found.append(await llm.chat(HELLO, **settings))
            chunks = [chunk async for chunk in llm.stream_chat(HELLO, **settings)]
            found.append(chunks[-1].require_output())

    asyncio.run(main())
    return found


def test_calls_are_told_apart_from_what_is_said() -> None:
    for output in asked(f"I look.\n{CALL}", tools=[TOOL]):
        assert output.text == f"I look.\n{CALL}"
        assert output.content == "I look."
        (call,) = output.tool_calls or []
        assert (call.name, call.arguments) == ("weather", '{"city": "Oslo"}')
        assert call.parsed() == {"city": "Oslo"}
        assert json.loads(json.dumps(output.to_dict()))["tool_calls"] == [call.to_dict()]


def test_ids_are_those_of_the_answer() -> None:
    ids = {output.tool_calls[0].id for output in asked(CALL, tools=[TOOL]) if output.tool_calls}
    assert len(ids) == 1


def test_an_answer_without_a_call_has_none() -> None:
    for output in asked("Hm.", tools=[TOOL]):
        assert (output.content, output.tool_calls) == ("Hm.", [])
    for output in asked("Hm."):
        assert (output.content, output.tool_calls) == (None, None)


@pytest.mark.parametrize("choice", ["required", "weather"])
def test_an_answer_may_have_to_be_a_call(choice: str) -> None:
    settings = {"tools": [TOOL], "tool_choice": choice, "parallel_tool_calls": False}
    for output in asked("I would rather not.", **settings):
        (call,) = output.tool_calls or []
        assert call.parsed()["city"] in ("Oslo", "Rome")
        assert output.content == ""


def test_thoughts_are_told_apart() -> None:
    for output in asked("<think>hm</think>Yes.", TEMPLATE + "{# <think> #}"):
        assert (output.reasoning_content, output.content) == ("hm", "Yes.")


THINKING = TEMPLATE + "{# <think> #}"
THOUGHT_BEGUN = TEMPLATE.removesuffix("{% endif %}") + "<think>\n{% endif %}"
MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>")


@pytest.mark.parametrize("marks", [(), MARKS])
@pytest.mark.parametrize("choice", ["auto", "required", "weather"])
@pytest.mark.parametrize(("template", "begins"), [(THINKING, ""), (THOUGHT_BEGUN, "<think>\n")])
def test_calls_come_behind_thoughts(
    choice: str, template: str, begins: str, marks: Sequence[str]
) -> None:
    answer = f"{'' if begins else '<think>'}is {{it}} <tool\n</think>\n\n{CALL}"
    settings = {"tools": [TOOL], "tool_choice": choice, "parallel_tool_calls": False}
    for output in asked(answer, template, begins, marks, **settings):
        assert output.text == answer
        assert (output.reasoning_content, output.content) == ("is {it} <tool", "")
        (call,) = output.tool_calls or []
        assert call.parsed() == {"city": "Oslo"}


def test_there_need_be_no_thought_before_a_call() -> None:
    for output in asked(CALL, THINKING, tools=[TOOL], tool_choice="required"):
        assert output.text == CALL
    over = THOUGHT_BEGUN.replace("<think>", "<think></think>")
    settings = {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}
    for output in asked(f"hm</think>{CALL}", over, "<think></think>\n", **settings):
        assert output.reasoning_content is None
        assert len(output.tool_calls or []) == 1


def test_an_answer_may_say_nothing_but_thoughts() -> None:
    for marks in ((), MARKS):
        for output in asked("hm", THOUGHT_BEGUN, "<think>\n", marks, tools=[TOOL]):
            assert (output.text, output.reasoning_content, output.content) == ("hm", "hm", "")


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_marks_may_be_control_tokens(choice: str) -> None:
    listed = '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Oslo"}}]'
    for answer, mark in ((CALL, "<tool_call>"), (listed, "[TOOL_CALLS]")):
        template = TEMPLATE + f"{{# {mark} #}}"
        given = {"tools": [TOOL], "tool_choice": choice, "parallel_tool_calls": False}
        for output in asked(answer, template, marks=(*MARKS, "[TOOL_CALLS]"), **given):
            assert output.text == answer
            ids = tokenizer(marks=(*MARKS, "[TOOL_CALLS]")).encode(mark, parse_special=True)
            assert output.token_ids[: len(ids)] == ids
            assert len(ids) == 1
            (call,) = output.tool_calls or []
            assert call.parsed() == {"city": "Oslo"}


def test_calls_and_answers_are_messages() -> None:
    with LLM(saying("Sunny."), tokenizer=tokenizer()) as llm:
        (call,) = asked(CALL, tools=[TOOL])[0].tool_calls or []
        talk = [
            *HELLO,
            {"role": "assistant", "tool_calls": [call.to_dict()]},
            {"role": "tool", "tool_call_id": call.id, "content": "sun"},
        ]
        output = llm.chat(talk, tools=[TOOL])
        assert output.content == "Sunny."
        assert "<tool_response>\nsun\n</tool_response>" in output.prompt


@pytest.mark.parametrize(
    "settings",
    [
        {"tools": "weather"},
        {"tools": [TOOL], "tool_choice": "whether"},
        {"tools": [TOOL], "parallel_tool_calls": 3},
        {"tool_choice": "required"},
    ],
)
def test_what_makes_no_sense_is_refused(settings: Any) -> None:
    with (
        LLM(saying("Hm."), tokenizer=tokenizer()) as llm,
        pytest.raises(RequestError, match="tool"),
    ):
        llm.chat(HELLO, **settings)
