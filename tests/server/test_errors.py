"""What an exception is to the one who asked."""

from __future__ import annotations

import json

import pytest
from support.asgi import call
from support.toy_async import run
from support.toy_server import serving

from foretell.errors import ClosedError
from foretell.server.errors import ApiError, api_error
from foretell.streaming.job import with_prompt_index


@pytest.mark.parametrize("index", [None, 3])
def test_a_model_that_was_closed_is_not_there_at_the_moment(index: int | None) -> None:
    told = api_error(with_prompt_index(ClosedError("it was closed"), index))
    assert (told.status, told.headers["retry-after"]) == (503, "5")


def test_messages_can_be_read_in_any_script_and_steer_no_terminal() -> None:
    body = ApiError(400, "min_p=한글 must be ≥ 0 \u202e\x9b").body().decode()
    assert "min_p=한글 must be ≥ 0 \\u202e\\u009b" in body
    assert json.loads(body)["error"]["message"].endswith("\u202e\x9b")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/completions", "prompt"),
        ("/v1/chat/completions", "messages"),
        ("/v1/responses", "input"),
        ("/v1/foretell/next", "prompt"),
        ("/v1/foretell/explain", "prompt"),
        ("/tokenize", "prompt"),
        ("/detokenize", "tokens"),
    ],
)
@pytest.mark.parametrize("sent", [False, True])
def test_what_is_missing_is_said_to_be(path: str, field: str, sent: bool) -> None:
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, path, {field: None} if sent else {})
            error = answer.data["error"]
            assert (answer.status, error["param"]) == (400, field)
            assert error["message"].startswith(f"{field} is missing: must be ")

    run(main)


@pytest.mark.parametrize("name", ["max_tokens", "max_new_tokens"])
def test_a_length_beyond_the_context_is_told_with_the_room_there_is(name: str) -> None:
    async def main() -> None:
        async with serving() as toy:
            room = toy.llm.info.context_length - 3
            for prompt in ([5, 6, 7], [[5], [5, 6, 7]]):
                body = {"prompt": prompt, name: room + 1}
                error = (await call(toy.app, "/v1/completions", body)).data["error"]
                assert error["param"] == name
                assert error["code"] == "context_length_exceeded"
                assert error["message"].startswith(f"{name}={room + 1} is too large: ")
                assert error["message"].endswith(f"room for {room} tokens")

    run(main)
