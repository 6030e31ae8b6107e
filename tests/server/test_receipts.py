"""`return_receipt`: the receipt of a choice or a response, with which its text is made again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.asgi import call
from support.toy_async import run, scripted
from support.toy_server import CHAT, COMPLETIONS, HELLO, RESPONSES, serving

from foretell import Receipt

BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "completion": (COMPLETIONS, {"prompt": "the cat"}),
    "greedy": (COMPLETIONS, {"prompt": "the cat", "temperature": 0}),
    "several": (COMPLETIONS, {"prompt": ["the cat", [5, 6]], "n": 2}),
    "beams": (COMPLETIONS, {"prompt": "the cat", "num_beams": 3}),
    "chat": (CHAT, {"messages": HELLO, "max_tokens": 12}),
    "logprobs": (CHAT, {"messages": HELLO, "max_tokens": 5, "logprobs": True, "top_logprobs": 2}),
    "form": (CHAT, {"messages": HELLO, "max_tokens": 30, "regex": "[a-c]{4}"}),
}


@pytest.mark.parametrize(("path", "body"), BODIES.values(), ids=BODIES)
def test_each_choice_can_be_made_again(path: str, body: dict[str, Any]) -> None:
    async def main() -> None:
        async with serving() as toy:
            asked = {**body, "seed": 5, "return_receipt": True}
            choices = (await call(toy.app, path, asked)).data["choices"]
            events = (await call(toy.app, path, {**asked, "stream": True})).events[:-1]
            streamed = {
                one["index"]: one["receipt"]
                for event in events
                for one in event["choices"]
                if "receipt" in one
            }
            assert streamed == {one["index"]: one["receipt"] for one in choices}
            for choice in choices:
                receipt = Receipt.from_json(json.dumps(choice["receipt"]))
                assert receipt.seed == (None if body.get("temperature") == 0 else 5) or receipt.seed
                assert (await toy.llm.replay(receipt)).identical

    run(main)


RESPONSE_BODIES: dict[str, dict[str, Any]] = {
    "text": {"input": "hello", "max_output_tokens": 12},
    "greedy": {"input": "hello", "instructions": "Be brief.", "temperature": 0},
    "logprobs": {
        "input": HELLO,
        "max_output_tokens": 5,
        "include": ["message.output_text.logprobs"],
        "top_logprobs": 2,
    },
    "form": {"input": "hello", "max_output_tokens": 30, "regex": "[a-c]{4}"},
    "calls": {
        "input": "hello",
        "max_output_tokens": 60,
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
        "tool_choice": "required",
        "tool_syntax": "hermes",
    },
}


@pytest.mark.parametrize("body", RESPONSE_BODIES.values(), ids=RESPONSE_BODIES)
def test_a_response_can_be_made_again(body: dict[str, Any]) -> None:
    async def main() -> None:
        async with serving(scripted(context_length=1024, num_blocks=512)) as toy:
            asked = {**body, "seed": 5, "return_receipt": True}
            whole = (await call(toy.app, RESPONSES, asked)).data
            events = (await call(toy.app, RESPONSES, {**asked, "stream": True})).events
            told = [event["response"] for event in events if "response" in event]
            assert ["receipt" in response for response in told] == [False, False, True]
            assert told[-1]["receipt"] == whole["receipt"]
            receipt = Receipt.from_json(json.dumps(whole["receipt"]))
            assert receipt.num_tokens == whole["usage"]["output_tokens"]
            assert (await toy.llm.replay(receipt)).identical
            del asked["return_receipt"]
            assert "receipt" not in (await call(toy.app, RESPONSES, asked)).data

    run(main)


@pytest.mark.parametrize("wish", [{}, {"return_receipt": None}, {"return_receipt": False}])
def test_who_does_not_ask_is_not_told(wish: dict[str, Any]) -> None:
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, COMPLETIONS, {"prompt": "the cat", **wish})
            assert "receipt" not in answer.data["choices"][0]

    run(main)


def test_what_is_no_flag_is_refused() -> None:
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, COMPLETIONS, {"prompt": "the cat", "return_receipt": 1})
            assert (answer.status, answer.error["param"]) == (400, "return_receipt")

    run(main)


def test_where_nothing_is_written_there_is_none() -> None:
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": "the cat", "max_tokens": 0, "return_receipt": True}
            answer = await call(toy.app, COMPLETIONS, body)
            assert answer.data["choices"][0]["receipt"] is None

    run(main)
