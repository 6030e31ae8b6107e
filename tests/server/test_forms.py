"""Texts that are held to a form, by the names of OpenAI, vLLM and llama.cpp."""

from __future__ import annotations

import json
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from openai import AsyncOpenAI
from pydantic import BaseModel
from support.asgi import call
from support.toy_async import run
from support.toy_server import CHAT, COMPLETIONS, HELLO, RESPONSES, serving

SCHEMA = {
    "type": "object",
    "properties": {
        "legs": {"type": "integer", "minimum": 0, "maximum": 9},
        "wild": {"type": "boolean"},
    },
    "required": ["legs", "wild"],
    "additionalProperties": False,
}
LENGTH = {"max_tokens": 200, "temperature": 1, "seed": 3}


class Animal(BaseModel):
    """What is asked for."""

    legs: int
    wild: bool


def wrapped(schema: Any = SCHEMA, **others: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "animal", "schema": schema, **others}}


def asked(route: str, body: dict[str, Any]) -> Any:
    answers = []

    async def main() -> None:
        async with serving() as toy:
            answers.append(await call(toy.app, route, {**LENGTH, **body}))

    run(main)
    return answers[0]


def is_animal(text: str) -> bool:
    found = json.loads(text)
    return set(found) == {"legs", "wild"} and 0 <= found["legs"] <= 9


FORMS = [
    ({"response_format": wrapped(strict=True)}, is_animal),
    ({"response_format": wrapped()}, is_animal),
    ({"response_format": {"type": "json_object", "schema": SCHEMA}}, is_animal),
    ({"json_schema": SCHEMA}, is_animal),
    ({"guided_json": SCHEMA}, is_animal),
    ({"guided_json": json.dumps(SCHEMA)}, is_animal),
    ({"structured_outputs": {"json": SCHEMA}}, is_animal),
    ({"guided_regex": "a{3}b?"}, {"aaa", "aaab"}.__contains__),
    ({"structured_outputs": {"regex": "a{3}b?"}}, {"aaa", "aaab"}.__contains__),
    ({"guided_choice": ["yes", "no"]}, {"yes", "no"}.__contains__),
    ({"structured_outputs": {"choice": ["yes", "no"]}}, {"yes", "no"}.__contains__),
    ({"choices": ["yes", "no"]}, {"yes", "no"}.__contains__),
    ({"grammar": 'root ::= "a" [0-9] "b"'}, lambda text: text[::2] == "ab"),
    ({"guided_grammar": 'start: "a" /[0-9]/ "b"'}, lambda text: text[::2] == "ab"),
    ({"structured_outputs": {"grammar": 'start: "a" | "b"'}}, {"a", "b"}.__contains__),
    (
        {"structured_outputs": {"json": SCHEMA, "disable_any_whitespace": True}},
        lambda text: is_animal(text) and " " not in text,
    ),
]


@pytest.mark.parametrize(("wish", "fits"), FORMS)
def test_a_chat_is_held_to_a_form(wish, fits):
    answer = asked(CHAT, {"messages": HELLO, **wish})
    assert answer.status == 200, answer.data
    (choice,) = answer.data["choices"]
    assert fits(choice["message"]["content"])
    assert choice["finish_reason"] == "stop"


def test_a_json_object_may_have_any_keys():
    answer = asked(CHAT, {"messages": HELLO, "response_format": {"type": "json_object"}})
    (choice,) = answer.data["choices"]
    text = choice["message"]["content"]
    assert text.startswith("{")
    assert choice["finish_reason"] == "length" or isinstance(json.loads(text), dict)


@pytest.mark.parametrize("stream", [False, True])
def test_completions_and_responses_are_too(stream):
    wish = {"response_format": wrapped(strict=True), "prompt": "the cat", "stream": stream}
    answer = asked(COMPLETIONS, wish)
    found = answer.events[:-1] if stream else [answer.data]
    assert is_animal("".join(one["choices"][0]["text"] for one in found if one["choices"]))
    form = {"type": "json_schema", "name": "animal", "schema": SCHEMA, "strict": True}
    body = {
        "input": "hello",
        "text": {"format": form},
        "max_output_tokens": 200,
        "max_tokens": None,
    }
    answer = asked(RESPONSES, {**body, "stream": stream})
    assert answer.status == 200, answer.data
    found = answer.events[-1]["response"] if stream else answer.data
    assert is_animal(found["output"][0]["content"][0]["text"])
    assert found["text"] == {"format": form}


def test_what_is_spent_is_told_as_a_length():
    answer = asked(CHAT, {"messages": HELLO, "json_schema": SCHEMA, "max_tokens": 3})
    assert answer.data["choices"][0]["finish_reason"] == "length"


UNIQUE = {"type": "array", "uniqueItems": True, "items": {"enum": [1, 2]}, "maxItems": 2}
BAD = [
    ({"response_format": wrapped(UNIQUE, strict=True)}, "response_format", "'uniqueItems' at $"),
    ({"response_format": {"type": "yaml"}}, "response_format", "json_schema"),
    ({"response_format": wrapped(3)}, "response_format", "must be an object"),
    ({"response_format": wrapped(strict="yes")}, "response_format", "true or false"),
    ({"response_format": "json"}, "response_format", "json_object"),
    ({"guided_regex": "a("}, "guided_regex", "regex parse error"),
    ({"guided_choice": []}, "guided_choice", "at least one"),
    ({"grammar": "nonsense"}, "grammar", "Lark"),
    ({"structured_outputs": {"xml": 1}}, "structured_outputs", "xml"),
    ({"structured_outputs": "json"}, "structured_outputs", "an object"),
    ({"choices": ["a"], "guided_regex": "b"}, "guided_regex", "one form"),
    ({"guided_json": SCHEMA, "response_format": wrapped()}, "response_format", "one setting"),
]


@pytest.mark.parametrize(("wish", "param", "words"), BAD)
def test_what_makes_no_sense_is_refused_by_name(wish, param, words):
    for stream in (False, True):
        answer = asked(CHAT, {"messages": HELLO, "stream": stream, **wish})
        assert (answer.status, answer.error["param"]) == (400, param), answer.data
        assert words in answer.error["message"]


def test_what_is_passed_over_is_told_in_a_header():
    answer = asked(CHAT, {"messages": HELLO, "response_format": wrapped(UNIQUE)})
    assert answer.status == 200, answer.data
    assert "uniqueItems" in answer.headers["x-foretell-warning"]


@pytest.mark.parametrize("stream", [False, True])
def test_openai_s_parse_gives_instances_of_a_model_of_pydantic(stream):
    found = []

    async def main() -> None:
        async with serving() as toy:
            web = AsyncClient(transport=ASGITransport(toy.app), base_url="http://toy")
            async with AsyncOpenAI(
                base_url="http://toy/v1", api_key="x", http_client=web
            ) as client:
                wish = {"model": "toy", "messages": HELLO, "response_format": Animal, **LENGTH}
                if stream:
                    async with client.chat.completions.stream(**wish) as events:
                        async for _ in events:
                            pass
                        answer = await events.get_final_completion()
                else:
                    answer = await client.chat.completions.parse(**wish)
                found.append(answer.choices[0].message.parsed)
                if not stream:
                    wish = {"model": "toy", "input": "hello", "text_format": Animal}
                    reply = await client.responses.parse(**wish, temperature=1)
                    found.append(reply.output_parsed)

    run(main)
    assert all(isinstance(one, Animal) for one in found)
