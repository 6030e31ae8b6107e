"""Tools and thoughts over HTTP: calls and thoughts are told apart from what is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from support.asgi import call
from support.toy import toy_tokenizer
from support.toy_async import run
from support.toy_chat import TEMPLATE, saying
from support.toy_server import CHAT, HELLO, RESPONSES, client_of, serving

from foretell.text.tools.syntaxes import SYNTAXES

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
OTHER = CALL.replace("Oslo", "Rome")
THINKING = TEMPLATE + "{# <think> #}"


def chat(answer: str, *, template: str = TEMPLATE, begins: str = "", **fields: Any) -> Any:
    """What the server makes of this answer of the model's: whole, and as a stream."""
    found: list[Any] = []

    async def main() -> None:
        async with serving(saying(answer, begins)) as toy:
            toy.llm.tokenizer.chat_template = template
            body = {"messages": HELLO, "temperature": 0, "max_tokens": 400, **fields}
            whole = await call(toy.app, CHAT, body)
            if whole.status != 200:
                found.extend((whole, []))
                return
            stream = await call(toy.app, CHAT, {**body, "stream": True})
            found.extend((whole.data, stream.events))

    run(main)
    return found


def joined(events: Sequence[Any]) -> dict[str, Any]:
    """The message that the deltas of one choice are, as a client puts them together."""
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "tool_calls": []}
    *chunks, done = events
    assert done == "[DONE]"
    for chunk in chunks:
        (choice,) = chunk["choices"]
        delta = choice["delta"]
        message["content"] += delta.get("content") or ""
        message["reasoning_content"] += delta.get("reasoning_content") or ""
        for part in delta.get("tool_calls", ()):
            if part["index"] == len(message["tool_calls"]):
                assert set(part) == {"index", "id", "type", "function"}
                first = {key: value for key, value in part.items() if key != "index"}
                message["tool_calls"].append(json.loads(json.dumps(first)))
            else:
                assert set(part) == {"index", "function"}
                added = part["function"]["arguments"]
                message["tool_calls"][part["index"]]["function"]["arguments"] += added
    message["finish_reason"] = chunks[-1]["choices"][0]["finish_reason"]
    return message


def without_ids(calls: Sequence[Any]) -> list[Any]:
    for one in calls:
        assert len(one["id"]) == 9
        assert one["id"].isalnum()
        assert one["type"] == "function"
    assert len({one["id"] for one in calls}) == len(calls)
    return [(one["function"]["name"], json.loads(one["function"]["arguments"])) for one in calls]


@pytest.mark.parametrize(
    ("answer", "said", "cities"),
    [
        (CALL, "", ["Oslo"]),
        (f"I look.\n{CALL}\n{OTHER}\n", "I look.", ["Oslo", "Rome"]),
        ("It is sunny <tool_c", "It is sunny <tool_c", []),
    ],
)
def test_calls_are_told_apart_from_text(answer, said, cities):
    whole, events = chat(answer, tools=[TOOL])
    (choice,) = whole["choices"]
    calls = [("weather", {"city": city}) for city in cities]
    assert choice["message"]["content"] == (said or None)
    assert without_ids(choice["message"].get("tool_calls", [])) == calls
    assert choice["finish_reason"] == ("tool_calls" if calls else "stop")
    streamed = joined(events)
    assert streamed["content"] == said
    assert without_ids(streamed["tool_calls"]) == calls
    assert streamed["finish_reason"] == choice["finish_reason"]


DICE = {
    "type": "function",
    "function": {
        "name": "dice",
        "parameters": {
            "type": "object",
            "properties": {"sides": {"enum": [6, 20]}},
            "required": ["sides"],
            "additionalProperties": False,
        },
    },
}
NAMED = {"type": "function", "function": {"name": "dice"}}
SOME = {
    "type": "allowed_tools",
    "allowed_tools": {"mode": "required", "tools": [{"type": "function", **NAMED}]},
}


@pytest.mark.parametrize("syntax", [None, "hermes", "llama3", "mistral", "json"])
@pytest.mark.parametrize("choice", ["dice", NAMED, SOME, "required"])
def test_an_answer_may_have_to_be_a_call(choice, syntax):
    tools = [DICE] if choice == "required" else [TOOL, DICE]
    held = {"tools": tools, "tool_choice": choice, "parallel_tool_calls": False}
    whole, events = chat("I would rather not.", tool_syntax=syntax, **held)
    (one,) = whole["choices"]
    assert one["message"]["content"] is None
    ((name, arguments),) = without_ids(one["message"]["tool_calls"])
    assert name == "dice"
    assert arguments["sides"] in (6, 20)
    assert one["finish_reason"] == "tool_calls"
    assert without_ids(joined(events)["tool_calls"]) == [(name, arguments)]


def test_what_a_strict_tool_cannot_be_held_to_is_refused():
    odd = {"type": "object", "properties": {"x": {"not": {"const": 1}}}}
    function = {"name": "f", "parameters": odd}
    answer, _ = chat(CALL, tools=[{"type": "function", "function": {**function, "strict": True}}])
    assert (answer.status, answer.error["param"]) == (400, "tools")
    assert "not" in answer.error["message"]
    whole, _ = chat("Hm.", tools=[{"type": "function", "function": function}])
    assert whole["choices"][0]["message"]["content"] == "Hm."


@pytest.mark.parametrize("choice", [None, "none"])
def test_without_tools_a_call_is_text(choice):
    fields = {} if choice is None else {"tools": [TOOL], "tool_choice": choice}
    whole, events = chat(CALL, **fields)
    assert whole["choices"][0]["message"]["content"] == CALL
    assert "tool_calls" not in whole["choices"][0]["message"]
    assert joined(events)["content"] == CALL


def test_a_call_that_breaks_off_is_told_as_far_as_it_came():
    whole, events = chat(CALL, tools=[TOOL], max_tokens=60)
    (choice,) = whole["choices"]
    (part,) = choice["message"]["tool_calls"]
    assert '{"city": "Oslo"}'.startswith(part["function"]["arguments"])
    assert choice["finish_reason"] == joined(events)["finish_reason"] == "length"
    assert joined(events)["tool_calls"][0]["function"] == part["function"]


def test_log_probabilities_come_with_the_parts():
    whole, events = chat(f"Hm. {CALL}", tools=[TOOL], logprobs=True)
    tokens = [one["token"] for one in whole["choices"][0]["logprobs"]["content"]]
    streamed = [chunk["choices"][0]["logprobs"] for chunk in events[:-1]]
    assert [one["token"] for told in streamed if told for one in told["content"]] == tokens
    assert "".join(tokens) == f"Hm. {CALL}<|end|>"


def test_thoughts_are_told_apart():
    answer = "<think>\nIt rains.\n</think>\n\nYes."
    whole, events = chat(answer, template=THINKING)
    message = whole["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("It rains.", "Yes.")
    streamed = joined(events)
    assert (streamed["reasoning_content"], streamed["content"]) == ("It rains.", "Yes.")
    whole, _ = chat(answer, template=THINKING, include_reasoning=False)
    assert whole["choices"][0]["message"]["content"] == answer
    whole, _ = chat(answer)  # a template that knows no thoughts
    assert whole["choices"][0]["message"]["content"] == answer


def test_thoughts_may_have_begun_in_the_prompt():
    begins = "<think>\n"
    template = TEMPLATE.removesuffix("{% endif %}") + begins + "{% endif %}"
    whole, events = chat("hm\n</think>\nYes.", template=template, begins=begins)
    for message in (whole["choices"][0]["message"], joined(events)):
        assert (message["reasoning_content"], message["content"]) == ("hm", "Yes.")


@pytest.mark.parametrize("more", [{"allow_thinking": False}, {"include_reasoning": False}])
def test_a_form_of_its_own_is_no_thought_that_the_prompt_has_begun(more):
    begins = "<think>\n"
    template = TEMPLATE.removesuffix("{% endif %}") + begins + "{% endif %}"
    fields = {"response_format": {"type": "json_object"}, **more}
    whole, events = chat('{"x": 1}', template=template, begins=begins, **fields)
    for message in (whole["choices"][0]["message"], joined(events)):
        assert not message.get("reasoning_content")
        assert json.loads(message["content"]) == {"x": 1}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tools": "weather"}, "tools"),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tools": [TOOL], "tool_choice": "weathr"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_syntax": "herms"}, "tool_syntax"),
        ({"tools": [TOOL], "parallel_tool_calls": 1}, "parallel_tool_calls"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, param):
    answer, _ = chat(CALL, **fields)
    assert (answer.status, answer.error["param"]) == (400, param)


def test_tools_leave_no_room_for_another_form():
    answer, _ = chat(CALL, tools=[TOOL], guided_regex="a+")
    assert (answer.status, answer.error["param"]) == (400, "guided_regex")
    assert "the tools" in answer.error["message"]


SCHEMA = {
    "type": "object",
    "properties": {"x": {"type": "integer"}},
    "required": ["x"],
    "additionalProperties": False,
}
FORMATS = [
    {"type": "json_object"},
    {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
    {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}},
]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("syntax", ["hermes", "llama3", "mistral", "json"])
def test_beside_tools_a_text_may_have_a_form(syntax, form):
    fields = {"tools": [TOOL], "response_format": form, "tool_syntax": syntax}
    whole, events = chat('{"x": 1}', **fields)
    for message in (whole["choices"][0]["message"], joined(events)):
        assert (message["content"], message.get("tool_calls") or []) == ('{"x": 1}', [])
    assert whole["choices"][0]["finish_reason"] == "stop"
    call_text = SYNTAXES[syntax].around("weather")
    whole, events = chat('{"city": "Oslo"}'.join(call_text), **fields)
    for message in (whole["choices"][0]["message"], joined(events)):
        assert not message["content"]
        assert without_ids(message["tool_calls"]) == [("weather", {"city": "Oslo"})]
    assert whole["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("form", FORMATS[1:])
@pytest.mark.parametrize("syntax", ["hermes", "llama3", "mistral", "json"])
def test_beside_tools_a_text_without_a_call_has_its_form(syntax, form):
    whole, _ = chat("Hello.", tools=[TOOL], response_format=form, tool_syntax=syntax)
    message = whole["choices"][0]["message"]
    if message["content"]:
        assert [*json.loads(message["content"])] == ["x"]
    else:
        assert message["tool_calls"][0]["function"]["name"] == "weather"


def test_a_strict_format_beside_tools_is_refused_where_it_cannot_be_held_to():
    schema = {**SCHEMA, "properties": {"x": {"type": "array", "uniqueItems": True}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    answer, _ = chat(CALL, tools=[TOOL], response_format=form)
    assert (answer.status, answer.error["param"]) == (400, "response_format")
    assert "uniqueItems" in answer.error["message"]
    loose = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    whole, _ = chat(CALL, tools=[TOOL], response_format=loose)
    assert whole["choices"][0]["message"]["tool_calls"]


THOUGHT = "<think>It rains.</think>"


def test_thoughts_come_before_a_form():
    form = {"response_format": FORMATS[1]}
    for fields in (form, {**form, "tools": [TOOL]}):
        whole, events = chat(THOUGHT + '{"x": 1}', template=THINKING, **fields)
        for message in (whole["choices"][0]["message"], joined(events)):
            assert message["content"] == '{"x": 1}'
            assert message["reasoning_content"] == "It rains."


@pytest.mark.parametrize("fields", [{}, {"stream_options": {"include_usage": True}}])
def test_thoughts_are_counted(fields):
    num_tokens = len("It rains.")
    if fields:
        _, events = asked(CHAT, {"messages": HELLO}, THOUGHT + "Yes.", **fields)
        usage = events[-2]["usage"]
    else:
        whole, _ = chat(THOUGHT + "Yes.", template=THINKING)
        usage = whole["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == num_tokens
    ids = toy_tokenizer().encode(THOUGHT + "Yes.", add_special_tokens=False)
    assert usage["completion_tokens"] == len(ids) + 1
    whole, _ = asked(RESPONSES, {"input": "hello"}, THOUGHT + "Yes.")
    assert whole["usage"]["output_tokens_details"] == {"reasoning_tokens": num_tokens}


@pytest.mark.parametrize("name", ["thinking_budget", "thinking_token_budget"])
def test_thoughts_have_a_budget(name):
    whole, events = chat(THOUGHT + "Yes.", template=THINKING, **{name: 4})
    for message in (whole["choices"][0]["message"], joined(events)):
        assert message["reasoning_content"] == "It r"
    assert whole["usage"]["completion_tokens_details"]["reasoning_tokens"] == 4


def asked(path: str, body: dict[str, Any], answer: str, **fields: Any) -> Any:
    """What a route makes of an answer with thoughts: whole, and as a stream."""
    found: list[Any] = []

    async def main() -> None:
        async with serving(saying(answer)) as toy:
            toy.llm.tokenizer.chat_template = THINKING
            whole = {"temperature": 0, **body}
            found.append((await call(toy.app, path, whole)).data)
            found.append((await call(toy.app, path, {**whole, **fields, "stream": True})).events)

    run(main)
    return found


FLAT = {"type": "function", **TOOL["function"], "strict": True}
BOTH = f"<think>It rains.</think>I look.\n{CALL}\n{OTHER}"


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (CALL, ["function_call"]),
        (f"I look.\n{CALL}", ["message", "function_call"]),
        (BOTH, ["reasoning", "message", "function_call", "function_call"]),
        (f"{CALL} Done.", ["function_call", "message"]),
        ("", ["message"]),
    ],
)
def test_a_response_has_an_item_for_each(answer, kinds):
    async def main() -> None:
        async with serving(saying(answer)) as toy:
            toy.llm.tokenizer.chat_template = THINKING
            body = {"input": "hello", "temperature": 0, "tools": [FLAT], "max_output_tokens": 400}
            whole = (await call(toy.app, RESPONSES, body)).data
            assert [item["type"] for item in whole["output"]] == kinds
            assert whole["tools"] == [FLAT]
            events = (await call(toy.app, RESPONSES, {**body, "stream": True})).events
            assert [event["sequence_number"] for event in events] == [*range(len(events))]
            assert_items_are_told(events)
            for one in (whole, events[-1]["response"]):
                assert one["status"] == "completed"
                for item in one["output"]:
                    item["id"] = item["call_id"] = None
            assert events[-1]["response"]["output"] == whole["output"]

    run(main)


def assert_items_are_told(events: Sequence[Any]) -> None:
    """Whether the deltas of each item, joined, are what it has at its end."""
    done = {}
    written: dict[int, str] = {}
    for event in events:
        kind = event["type"]
        if kind.endswith(".delta"):
            number = event["output_index"]
            written[number] = written.get(number, "") + event["delta"]
        elif kind == "response.output_item.added":
            assert event["item"]["status"] == "in_progress"
            assert event["output_index"] == len(done)
        elif kind == "response.output_item.done":
            item = done[event["output_index"]] = event["item"]
            text = item["arguments"] if "arguments" in item else item["content"][0]["text"]
            assert written.get(event["output_index"], "") == text
    assert [done[number] for number in sorted(done)] == events[-1]["response"]["output"]


def test_calls_and_their_answers_go_on_as_items():
    async def main() -> None:
        async with serving(saying(CALL)) as toy:
            body = {"input": "hello", "temperature": 0, "tools": [FLAT], "max_output_tokens": 400}
            first = (await call(toy.app, RESPONSES, body)).data
            (made,) = first["output"]
            returned = {"type": "function_call_output", "call_id": made["call_id"], "output": "sun"}
            items = [*HELLO, made, returned]
            answer = await call(toy.app, RESPONSES, {**body, "input": items})
            assert answer.status == 200, answer.body
            strict = {"type": "function", "function": {**TOOL["function"], "strict": True}}
            sent = {"role": "assistant", "content": None, "tool_calls": [chat_call(made)]}
            result = {"role": "tool", "tool_call_id": made["call_id"], "content": "sun"}
            body = {"messages": [*HELLO, sent, result], "tools": [strict], "max_tokens": 400}
            chat_answer = await call(toy.app, CHAT, body)
            tokens = chat_answer.data["usage"]["prompt_tokens"]
            assert answer.data["usage"]["input_tokens"] == tokens

    run(main)


def chat_call(item: Any) -> dict[str, Any]:
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": item["call_id"], "type": "function", "function": function}


@pytest.mark.parametrize("streams", [False, True])
def test_openais_client_takes_calls(streams):
    async def main() -> None:
        async with serving(saying(f"I look.\n{CALL}")) as toy, client_of(toy.app) as client:
            body: Any = {"model": "toy", "temperature": 0, "max_tokens": 400, "tools": [TOOL]}
            if streams:
                async with client.chat.completions.stream(messages=HELLO, **body) as stream:
                    found = await stream.get_final_completion()
            else:
                found = await client.chat.completions.create(messages=HELLO, **body)
            (one,) = found.choices[0].message.tool_calls
            assert (one.function.name, one.function.arguments) == ("weather", '{"city": "Oslo"}')
            assert found.choices[0].finish_reason == "tool_calls"
            body = {"model": "toy", "temperature": 0, "tools": [FLAT], "max_output_tokens": 400}
            if streams:
                async with client.responses.stream(input=HELLO, **body) as stream:
                    response = await stream.get_final_response()
            else:
                response = await client.responses.create(input=HELLO, **body)
            assert response.output[1].arguments == '{"city": "Oslo"}'
            assert response.output_text == "I look."

    run(main)
