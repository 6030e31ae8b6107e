"""Which messages are accepted, and what is said of others."""

from __future__ import annotations

from typing import Any

import pytest

from foretell.errors import RequestError
from foretell.text.chat.messages import adapt_roles, check_messages

USER = {"role": "user", "content": "hi"}
ASKED = {"role": "developer", "content": "be brief"}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": [1, "é"]}'}}
CALLER = {"role": "assistant", "content": None, "tool_calls": [CALL]}
ARGUMENTS = "messages[0]['tool_calls'][0]['function']['arguments']"


def called(**function: Any) -> dict[str, Any]:
    """A message with one call, of which something is other than it must be."""
    return {**CALLER, "tool_calls": [{**CALL, "function": {"name": "f", **function}}]}


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ("Hello", "messages='Hello' must be a list of messages"),
        ([], "messages=[] is empty"),
        (["Hello"], "messages[0] is 'Hello': must be"),
        ([USER, {"role": "user"}], "messages[1] has no 'content'"),
        ([{"content": "a"}], "messages[0] has no 'role'"),
        ([{"role": "user", "content": 3}], "messages[0]['content'] is 3: must be a string"),
        ([{"role": "user", "content": None}], "messages[0]['content'] is None: must be"),
        ([USER, {"role": "assistant"}], "messages[1] has no 'content'"),
        ([{"role": None, "content": ""}], "messages[0]['role'] is None: must be a string"),
        ([{**USER, "colour": "red"}], "messages[0] has 'colour': must have 'role', 'content', "),
        ([{**USER, 3: "red"}], "messages[0] has 3: must have"),
        ([USER, {**USER, "name": 3}], "messages[1]['name'] is 3: must be a string"),
        ([{**USER, "name": "\ud800"}], "messages[0]['name'] has a lone surrogate"),
        (
            [{**USER, "tool_calls": [CALL]}],
            "messages[0] has 'tool_calls': its role must be 'assist",
        ),
        (
            [{**USER, "tool_call_id": "a"}],
            "messages[0] has 'tool_call_id': its role must be 'tool'",
        ),
        ([{**ASKED, "reasoning_content": "a"}], "messages[0] has 'reasoning_content': its role"),
        ([{**CALLER, "tool_calls": "f"}], "messages[0]['tool_calls'] is 'f': must be a list of"),
        ([{**CALLER, "tool_calls": [{"id": "a"}]}], "messages[0]['tool_calls'][0] is {'id': 'a'}"),
        ([called(name="")], "messages[0]['tool_calls'][0]['function']['name'] is '': must be"),
        ([called(arguments="[1]")], ARGUMENTS + " is '[1]': must be a JSON object"),
        ([called(arguments="{")], ARGUMENTS + " is '{': must be a JSON object"),
        ([called(arguments={"x": object})], ARGUMENTS + " has "),
        (
            [{**CALLER, "tool_calls": [{**CALL, "type": "custom"}]}],
            "messages[0]['tool_calls'][0]['ty",
        ),
        (
            [{**CALLER, "tool_calls": [{**CALL, "id": 3}]}],
            "messages[0]['tool_calls'][0]['id'] is 3",
        ),
        (
            [{"role": "function", "content": "a"}],
            "messages[0]['role'] is 'function': must be 'tool'",
        ),
        (
            [{**CALLER, "function_call": {"name": "f"}}],
            "messages[0] has 'function_call': must be 'to",
        ),
        ([{"role": "user", "content": "\ud800"}], "messages[0]['content'] has a lone surrogate"),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}],
            "messages[0]['content'][1] is of type 'image_url': must be 'text'",
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": 3}]}],
            "messages[0]['content'][0] is {'type': 'text', 'text': 3}: must be",
        ),
        ([{"role": "user", "content": ["a"]}], "messages[0]['content'][0] is 'a': must be"),
        ([{"role": "user", "content": [{"type": ["text"]}]}], "messages[0]['content'][0] is of"),
    ],
)
def test_malformed_messages_are_refused(messages: Any, reason: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_messages(messages)
    assert str(caught.value).startswith(reason)


def test_none_is_absent() -> None:
    given = {**USER, "name": None, "refusal": None, "tool_calls": None, "audio": None}
    assert check_messages([given]) == [USER]


def test_what_is_empty_says_nothing() -> None:
    given = {**USER, "tool_calls": [], "annotations": [], "refusal": "", "prefix": False, "x": {}}
    assert check_messages([given]) == [USER]
    with pytest.raises(RequestError):
        check_messages([{**USER, "x": 0}])


def test_names_are_kept_and_an_answer_may_be_empty() -> None:
    anna = {**USER, "name": "Anna"}
    silent = {"role": "assistant", "content": None}
    assert check_messages([anna, silent]) == [anna, {"role": "assistant", "content": ""}]


def test_a_developer_is_the_system_to_templates_that_know_none() -> None:
    system = {**ASKED, "role": "system"}
    assert adapt_roles([ASKED, USER], "{{ messages }}") == [system, USER]
    assert adapt_roles([ASKED, USER], "{% if role == 'developer' %}") == [ASKED, USER]
    assert ASKED["role"] == "developer"


def test_arguments_of_calls_become_objects() -> None:
    told = {**CALL, "function": {"name": "f", "arguments": {"x": [1, "é"]}}}
    assert check_messages([CALLER]) == [{**CALLER, "content": "", "tool_calls": [told]}]
    without = {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}
    (checked,) = check_messages([without])
    assert checked["content"] == ""
    assert checked["tool_calls"] == [
        {"type": "function", "function": {"name": "f", "arguments": {}}}
    ]


def test_an_answer_of_a_tool_has_the_call_it_answers() -> None:
    answer = {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "42"}]}
    assert check_messages([CALLER, answer])[1] == {**answer, "content": "42"}
