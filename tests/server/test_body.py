"""Bodies that cannot be trusted: each is refused at once, in OpenAI's form."""

from __future__ import annotations

import json

import pytest
from support.asgi import call
from support.toy_async import run
from support.toy_server import CHAT, COMPLETIONS, HELLO, serving

from foretell.server.body import Room
from foretell.server.errors import ApiError
from foretell.server.options import ServerOptions


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"\xff",
        b'{"a": "\xc3"}',
        b"[]",
        b"3",
        b'"text"',
        b"null",
        b'{"prompt": "a", "temperature": NaN}',
        b'{"prompt": "a", "temperature": 1e400}',
        b'{"prompt": "a", "temperature": -Infinity}',
        b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}",
        b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"prompt": "a", "temperature": true}',
        json.dumps({"prompt": "a", "stop": "x" * 1_000_000}).encode(),
        json.dumps({"prompt": "a", "stop": ["x"] * 10_000}).encode(),
        json.dumps({"prompt": "a", "logit_bias": {str(i): 1 for i in range(10_000)}}).encode(),
        json.dumps({"prompt": "a", **{f"f{i}": 1 for i in range(10_000)}}).encode(),
        json.dumps({"prompt": "a", "allowed_token_ids": [5] * 300_000}).encode(),
        json.dumps({"prompt": "a", "sequence_bias": [[[1], 1.0]] * 3000}).encode(),
        json.dumps({"prompt": "a", "stop_regex": "(a+)+" * 1000}).encode(),
    ],
)
def test_it_is_refused(body):
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, COMPLETIONS, body)
            assert answer.status == 400, answer.body[:300]
            assert answer.error["type"] == "invalid_request_error"
            assert len(answer.body) < 2000

    run(main)


def test_a_body_that_is_too_large_is_refused_unread():
    async def main() -> None:
        async with serving(options=ServerOptions(max_body_bytes=1000)) as toy:
            large = json.dumps({"prompt": "a" * 1000}).encode()
            for headers in ({}, {"content-length": "5"}):
                answer = await call(toy.app, COMPLETIONS, large, headers=headers)
                assert (answer.status, answer.error["param"]) == (413, None)

    run(main)


def test_unknown_fields_are_refused_where_the_server_is_strict():
    async def main() -> None:
        async with serving(options=ServerOptions(strict=True)) as toy:
            answer = await call(toy.app, CHAT, {"messages": HELLO, "frobnicate": 1})
            assert (answer.status, answer.error["param"]) == (400, "frobnicate")

    run(main)


def test_a_large_prompt_is_refused_like_a_small_one():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": [5] * 100_000, "max_tokens": 3}
            answer = await call(toy.app, COMPLETIONS, body)
            assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")

    run(main)


def test_all_bodies_together_have_a_bound_that_small_ones_pass():
    async def main() -> None:
        async with serving() as toy:
            room = toy.app._state.room = Room(200_000)
            large = json.dumps({"prompt": "a", "max_tokens": 1, "user": "x" * 100_000}).encode()
            small = {"prompt": "a", "max_tokens": 1}
            with room.place() as add:
                add(150_000)
                refused = await call(toy.app, COMPLETIONS, large)
                assert (refused.status, refused.headers["retry-after"]) == (503, "5")
                assert refused.headers["connection"] == "close"
                assert (await call(toy.app, COMPLETIONS, small)).status == 200
                assert room.taken == 150_000
            assert (await call(toy.app, COMPLETIONS, large)).status == 200
            assert room.taken == 0

    run(main)


def test_a_body_that_comes_in_parts_is_refused_once_there_is_no_room():
    room = Room(100_000)
    with room.place() as add:
        add(60_000)
        add(40_000)
        with pytest.raises(ApiError, match="try again"):
            add(1)
        assert room.taken == 100_000
    assert room.taken == 0
