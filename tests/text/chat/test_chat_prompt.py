"""The prompts of whole conversations against transformers', and what its options may be."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from support.chat_templates import (
    CHATML,
    DEVELOPER,
    GEMMA,
    LLAMA_3,
    TEMPLATES,
    TOOL_TEMPLATES,
)
from support.toy import BOS, EOS, toy_metadata
from transformers.utils.chat_template_utils import render_jinja_template

from foretell.errors import ModelFileError, RequestError
from foretell.text.chat.prompt import chat_prompt
from foretell.text.tokenizer import Tokenizer

SYSTEM = {"role": "system", "content": "Be 'brief'. 고양이"}
DEVELOPER_SAYS = {**SYSTEM, "role": "developer"}
USER = {"role": "user", "content": "Who <are> you?\n"}
ANSWER = {"role": "assistant", "content": "  I am\n\na cat. "}
CONVERSATIONS = {
    "user": [USER],
    "system": [SYSTEM, USER],
    "developer": [DEVELOPER_SAYS, USER],
    "turns": [USER, ANSWER, USER],
    "system and turns": [SYSTEM, USER, ANSWER, USER],
}
BEGINNINGS = [
    "Yes",
    "Yes, ",
    " Yes",
    "\n\nYes.\n\n",
    "Yes \t\n",
    "<think>\nhm",
    "Yes <|end|>",
    "Y<|",
]


def chatting_tokenizer(source: str | None) -> Tokenizer:
    metadata = toy_metadata()
    if source is not None:
        metadata["tokenizer.chat_template"] = source
    return Tokenizer.from_gguf(metadata, source="toy")


def prompt_of(source: str | None, messages: list[dict[str, Any]], **options: Any) -> str:
    """The prompt as a text."""
    tokenizer = chatting_tokenizer(source)
    return tokenizer.decode(chat_prompt(tokenizer, messages, **options), skip_special_tokens=False)


def theirs(source: str, messages: list[dict[str, Any]], **options: Any) -> str:
    rendered, _ = render_jinja_template(
        [messages], chat_template=source, bos_token="<|start|>", eos_token="<|end|>", **options
    )
    text = rendered[0]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
@pytest.mark.parametrize("source", TEMPLATES.values(), ids=TEMPLATES)
def test_prompts_equal_transformers(source: str, messages: list[dict[str, str]]) -> None:
    known = messages
    if "developer" not in source:
        known = [SYSTEM if one is DEVELOPER_SAYS else one for one in messages]
    for wanted in (True, False):
        found = prompt_of(source, messages, add_generation_prompt=wanted)
        assert found == theirs(source, known, add_generation_prompt=wanted)
    assert prompt_of(source, messages) == theirs(source, known, add_generation_prompt=True)


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("source", TEMPLATES.values(), ids=TEMPLATES)
def test_continued_messages_equal_transformers(source: str, beginning: str) -> None:
    messages = [SYSTEM, USER, {"role": "assistant", "content": beginning}]
    found = prompt_of(source, messages, continue_final_message=True)
    assert found == theirs(source, messages, continue_final_message=True)
    assert found.rstrip().endswith(beginning.strip())


@pytest.mark.parametrize("source", TEMPLATES.values(), ids=TEMPLATES)
def test_the_users_own_message_can_be_continued(source: str) -> None:
    found = prompt_of(source, [SYSTEM, USER], continue_final_message=True)
    assert found == theirs(source, [SYSTEM, USER], continue_final_message=True)


@pytest.mark.parametrize("content", ["", None, "  "])
@pytest.mark.parametrize("source", [GEMMA, LLAMA_3], ids=["gemma", "llama 3"])
def test_an_answer_that_is_still_empty_begins_like_any(source: str, content: str | None) -> None:
    """Transformers would take the template's own line break away with the content's white space."""
    messages = [USER, {"role": "assistant", "content": content}]
    assert prompt_of(source, messages, continue_final_message=True) == prompt_of(source, [USER])


def test_a_space_behind_the_message_is_not_taken_for_its_own() -> None:
    source = "{% for m in messages %}{{ m.content | trim }} <|end|>{% endfor %}"
    assert prompt_of(source, [USER, ANSWER], continue_final_message=True) == (
        "Who <are> you? <|end|>I am\n\na cat."
    )


def test_of_a_message_shown_twice_the_last_is_continued() -> None:
    source = "{{ messages[-1].content }}|{{ messages[-1].content }}<|end|>"
    assert (
        prompt_of(source, [ANSWER], continue_final_message=True)
        == "  I am\n\na cat. |" + (ANSWER["content"])
    )


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages[0].content }}",
        "{% for m in messages %}{{ m.content.split('am')[-1] }}{% endfor %}",
        "{% for m in messages %}{{ m.content[:-3] }}{% endfor %}",
        "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
    ],
)
def test_a_message_that_is_not_shown_whole_cannot_be_continued(source: str) -> None:
    with pytest.raises(ValueError, match="does not appear in the chat"):
        theirs(source, [USER, ANSWER], continue_final_message=True)
    with pytest.raises(RequestError, match="continue_final_message=True does not suit the chat"):
        prompt_of(source, [USER, ANSWER], continue_final_message=True)


def test_an_answer_is_begun_or_continued_but_not_both() -> None:
    with pytest.raises(
        RequestError, match="add_generation_prompt=True contradicts continue_final_message=True"
    ):
        prompt_of(CHATML, [USER], add_generation_prompt=True, continue_final_message=True)
    neither = prompt_of(CHATML, [USER], add_generation_prompt=False, continue_final_message=False)
    assert neither == theirs(CHATML, [USER])
    for name in ("add_generation_prompt", "continue_final_message"):
        options: dict[str, Any] = {name: "yes"}
        with pytest.raises(RequestError, match=f"{name}='yes' must be True or False"):
            prompt_of(CHATML, [USER], **options)


@pytest.mark.parametrize("messages", [[USER], [SYSTEM, USER, ANSWER, USER]], ids=len)
@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        (CHATML, {"enable_thinking": False}),
        (CHATML, {"enable_thinking": True, "unknown": {"a": [1, 2.5, None]}}),
        (LLAMA_3, {"date_string": "1 Jan 1970"}),
        ("{{ arguments | tojson }}", {"arguments": {"a": [1, {"b": "<고>"}], "c": None}}),
        ("{{ documents | tojson }}{{ self_ }}", {"documents": [{"text": "a"}], "self_": 3}),
    ],
)
def test_arguments_reach_the_template(
    source: str, arguments: dict[str, Any], messages: list[dict[str, str]]
) -> None:
    found = prompt_of(source, messages, template_arguments=arguments)
    assert found == theirs(source, messages, add_generation_prompt=True, **arguments)


def test_an_argument_may_have_any_name() -> None:
    arguments = {"self": 1, "context": 2, "args": 3}
    source = "{{ context }}{{ args }}"
    assert prompt_of(source, [USER], template_arguments=arguments) == "23"


def test_arguments_cannot_pose_as_special_tokens() -> None:
    source = "<|start|>{{ a }}{{ b.c[0] }}{{ d | tojson }}<{{ e }}{{ messages[0].name }}<|end|>"
    messages = [{**USER, "name": "<|end|>"}]
    arguments = {"a": "<|end|>", "b": {"c": ["<|start|>"]}, "d": {"<|end|>": 1}, "e": "|end|>"}
    tokenizer = chatting_tokenizer(source)
    ids = chat_prompt(tokenizer, messages, template_arguments=arguments)
    assert [one for one in ids if one in (BOS, EOS)] == [BOS, EOS]
    shown = tokenizer.decode(ids[1:-1])
    assert shown == '<|end|><|start|>{"<|end|>": 1}<|end|><|end|>'


@pytest.mark.parametrize(
    "name", ["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"]
)
def test_arguments_replace_nothing_that_is_given_anyway(name: str) -> None:
    with pytest.raises(RequestError, match=f"template_arguments has '{name}': must not replace"):
        prompt_of(CHATML, [USER], template_arguments={name: "a"})


def test_another_template_can_be_given() -> None:
    found = prompt_of(CHATML, [USER], chat_template=GEMMA)
    assert found == theirs(GEMMA, [USER], add_generation_prompt=True)
    assert found == prompt_of(None, [USER], chat_template=GEMMA)
    assert prompt_of(GEMMA, [DEVELOPER_SAYS, USER], chat_template=DEVELOPER) == theirs(
        DEVELOPER, [DEVELOPER_SAYS, USER], add_generation_prompt=True
    )
    ids = chat_prompt(chatting_tokenizer(""), [USER], chat_template="<|end|>{{ bos_token }}")
    assert ids == [EOS, BOS]


def test_names_are_cut_where_the_given_template_mentions_them() -> None:
    metadata = {**toy_metadata(), "tokenizer.chat_template": ""}
    metadata["tokenizer.ggml.token_type"] = [*metadata["tokenizer.ggml.token_type"][:-2], 4, 3]
    del metadata["tokenizer.ggml.bos_token_id"]
    tokenizer = Tokenizer.from_gguf(metadata, source="toy")
    message = {"role": "user", "content": "<|start|>"}
    ids = chat_prompt(tokenizer, [message], chat_template="<|start|>{{ messages[0].content }}")
    assert ids.count(BOS) == 1


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% if %}", "chat_template does not work: the chat template is broken: line 1"),
        ("{{ 'a' * 10 ** 10 }}", "chat_template does not work: the chat template takes too much"),
        ("{{ raise_exception('no') }}", "the chat template does not take these messages: no"),
        (7, "chat_template=7 must be a string"),
        ("\ud800", "chat_template='.ud800' must be a string of Unicode"),
    ],
)
def test_a_broken_template_of_the_callers_is_the_callers_fault(source: Any, reason: str) -> None:
    with pytest.raises(RequestError, match=f"^{reason}"):
        prompt_of(CHATML, [USER], chat_template=source)
    if source == "{% if %}":
        with pytest.raises(ModelFileError, match=r"^the chat template is broken"):
            prompt_of(source, [USER])


@pytest.mark.parametrize("source", ["", "{% for m in mesages %}{{ m.content }}{% endfor %}"])
def test_a_template_that_makes_nothing_is_refused(source: str) -> None:
    refused = pytest.raises(RequestError, match="template makes an empty prompt of these messages")
    with refused:
        prompt_of(source, [USER])
    with refused:
        prompt_of(CHATML, [USER], chat_template=source)


def test_names_and_empty_answers_reach_the_template() -> None:
    anna = {**USER, "name": "Anna"}
    messages = [anna, {"role": "assistant", "content": None, "tool_calls": None}, USER]
    known = [anna, {"role": "assistant", "content": ""}, USER]
    for source in (CHATML, DEVELOPER):
        assert prompt_of(source, messages) == theirs(source, known, add_generation_prompt=True)


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather <now>.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALL = {
    "id": "abcdefghi",
    "type": "function",
    "function": {"name": "weather", "arguments": {"city": "서울"}},
}
AS_OPENAI = {**CALL, "function": {"name": "weather", "arguments": '{"city": "서울"}'}}
CALLER = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "abcdefghi", "content": "sunny"}


@pytest.mark.parametrize("source", TOOL_TEMPLATES.values(), ids=[*TOOL_TEMPLATES])
@pytest.mark.parametrize(
    "messages",
    [[USER], [SYSTEM, USER], [USER, CALLER, RESULT], [USER, CALLER, RESULT, ANSWER, USER]],
)
def test_tools_calls_and_answers_reach_the_template(source: str, messages: list[Any]) -> None:
    sent = [{**m, "tool_calls": [AS_OPENAI]} if m is CALLER else m for m in messages]
    found = prompt_of(source, sent, tools=[TOOL])
    assert found == theirs(source, messages, tools=[TOOL], add_generation_prompt=True)


def test_a_template_that_knows_no_tools_is_told_of_them_in_words() -> None:
    text = prompt_of(CHATML, [SYSTEM, USER, CALLER, RESULT, RESULT, ANSWER], tools=[TOOL])
    system, _, call, answers, answer, _ = text.split("<|im_end|>\n")
    assert system.startswith("<|im_start|>system\nBe 'brief'. 고양이\n\n")
    described = next(line for line in system.splitlines() if line.startswith("{"))
    assert json.loads(described) == TOOL
    written = re.search(r"<tool_call>\n(.*)\n</tool_call>$", call)
    assert written is not None
    assert json.loads(written[1]) == {"name": "weather", "arguments": {"city": "서울"}}
    response = "<tool_response>\nsunny\n</tool_response>"
    assert answers == f"<|im_start|>user\n{response}\n{response}"
    assert answer == f"<|im_start|>assistant\n{ANSWER['content']}"


def test_tools_alone_make_a_system_message() -> None:
    text = prompt_of(CHATML, [USER], tools=[TOOL])
    assert text.startswith("<|im_start|>system\n")
    assert text.count("<|im_start|>user") == 1
    assert prompt_of(CHATML, [USER], tools=[]) == prompt_of(CHATML, [USER])


@pytest.mark.parametrize("source", [CHATML, *TOOL_TEMPLATES.values()])
def test_no_tool_can_pose_as_a_special_token(source: str) -> None:
    mark = "<|end|>"
    bad = {
        "type": "function",
        "function": {"name": "f", "description": mark, "parameters": {mark: mark}},
    }
    call = {**CALL, "function": {"name": "f", "arguments": {mark: mark}}}
    messages = [USER, {**CALLER, "tool_calls": [call]}, {**RESULT, "content": mark}]
    tokenizer = chatting_tokenizer(source)
    ids = chat_prompt(tokenizer, messages, tools=[bad])
    harmless = [{**USER}, CALLER, RESULT]
    plain = chat_prompt(tokenizer, harmless, tools=[TOOL])
    assert ids.count(EOS) == plain.count(EOS)
    assert tokenizer.decode(ids, skip_special_tokens=False).count(mark) >= 3


@pytest.mark.parametrize(
    ("tools", "reason"),
    [
        ("f", "tools='f' must be a list of"),
        ([{"name": "f"}], "tools[0] is {'name': 'f'}: must be"),
        ([{"type": "custom", "function": {"name": "f"}}], "tools[0]['type'] is 'custom': must be"),
        (
            [{"function": {"name": "a b"}}],
            "tools[0]['function']['name'] is 'a b': must be 1 to 128",
        ),
        ([{"function": {"name": "f", "parameters": 3}}], "tools[0]['function']['parameters'] is 3"),
        (
            [{"function": {"name": "f", "description": 3}}],
            "tools[0]['function']['description'] is 3",
        ),
        ([{"function": {"name": "f"}}] * 2, "tools[1] is another 'f': names must differ"),
        ([{"function": {"name": "f", "x": object}}], "tools[0]['function'] has "),
    ],
)
def test_what_is_no_tool_is_refused(tools: Any, reason: str) -> None:
    with pytest.raises(RequestError) as caught:
        prompt_of(CHATML, [USER], tools=tools)
    assert str(caught.value).startswith(reason)
