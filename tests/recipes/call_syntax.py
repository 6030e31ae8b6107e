"""The recipe's syntax of calls, Granite's, at work; `test_recipes.py` runs it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.asgi import call
from support.server_fields import tables
from support.toy_async import run
from support.toy_chat import saying
from support.toy_server import CHAT, HELLO, serving

import foretell
from foretell.errors import RequestError
from foretell.text.tools.use import tool_use

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALLS = (
    '<|tool_call|>[{"name": "weather", "arguments": {"city": "Oslo"}}, '
    '{"name": "weather", "arguments": {"city": "Rome"}}]'
)


def test_the_copy_is_what_is_tested() -> None:
    assert Path(foretell.__file__).is_relative_to(os.environ["COPY"])


@pytest.mark.parametrize("streams", [False, True])
def test_the_server_reads_it(streams: bool) -> None:
    answers: list[Any] = []

    async def ask() -> None:
        async with serving(saying(CALLS.split(", {", maxsplit=1)[0] + "]")) as toy:
            body = {"messages": HELLO, "temperature": 0, "tools": [TOOL], "tool_syntax": "granite"}
            answers.append(await call(toy.app, CHAT, {**body, "stream": streams}))

    run(ask)
    (answer,) = answers
    assert answer.status == 200
    if streams:
        calls = [part for one in answer.events[:-1] for part in _calls(one["choices"][0]["delta"])]
        assert calls[0]["function"]["name"] == "weather"
        assert "".join(one["function"]["arguments"] for one in calls) == '{"city": "Oslo"}'
    else:
        (one,) = answer.data["choices"][0]["message"]["tool_calls"]
        assert one["function"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}


def _calls(delta: dict[str, Any]) -> list[Any]:
    return delta.get("tool_calls", [])


def test_the_page_and_the_errors_name_it() -> None:
    assert "mistral, granite, llama3" in tables()
    with pytest.raises(RequestError, match="granite"):
        tool_use([TOOL], syntax="granit")
