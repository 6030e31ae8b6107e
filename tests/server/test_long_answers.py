"""Answers that may be long are written beside the event loop, on which all streams wait."""

from __future__ import annotations

import threading

import pytest
from support.asgi import call
from support.toy_async import run
from support.toy_server import CHAT, COMPLETIONS, HELLO, RESPONSES, serving

SHORT, LONG = {"max_tokens": 3, "temperature": 1}, {"prompt_logprobs": 2}
WRITERS = {
    CHAT: ("foretell.server.chat_writer.ChatWriter", {"messages": HELLO}),
    COMPLETIONS: ("foretell.server.completion_writer.CompletionWriter", {"prompt": "a"}),
    RESPONSES: ("foretell.server.response_writer.ResponseWriter", {"input": "a"}),
}


def noted(monkeypatch, name):
    """A function of this name notes whether it was called in the event loop's thread."""
    target, _, method = name.rpartition(".")
    module, _, kind = target.rpartition(".")
    owner = getattr(__import__(module, fromlist=[kind]), kind)
    plain, found = getattr(owner, method), []

    def noting(*arguments, **named):
        found.append(threading.current_thread() is threading.main_thread())
        return plain(*arguments, **named)

    monkeypatch.setattr(owner, method, noting)
    return found


@pytest.mark.parametrize("route", WRITERS)
@pytest.mark.parametrize(
    ("wish", "is_long"), [({}, False), (LONG, True), ({"logprobs": 1}, True), ({"n": 9}, True)]
)
def test_a_whole_answer_is(route, wish, is_long, monkeypatch):
    kind, body = WRITERS[route]
    if route == CHAT and "logprobs" in wish:
        wish = {"logprobs": True}
    if route == RESPONSES and not wish.keys() <= LONG.keys():
        pytest.skip("one text, and log-probabilities by another field")

    async def main() -> None:
        found = noted(monkeypatch, f"{kind}.whole")
        async with serving() as toy:
            answer = await call(toy.app, route, {**body, **SHORT, **wish})
            assert answer.status == 200, answer.body
        assert found[0] is not is_long

    run(main)


@pytest.mark.parametrize("route", [CHAT, COMPLETIONS])
def test_a_prompt_that_is_told_in_a_stream_is(route, monkeypatch):
    kind, body = WRITERS[route]

    async def main() -> None:
        found = noted(monkeypatch, f"{kind}._add_prompt")
        async with serving() as toy:
            await call(toy.app, route, {**body, **SHORT, **LONG, "stream": True})
        assert found == [False]

    run(main)


@pytest.mark.parametrize("method", ["_finish", "end"])
def test_a_response_that_is_told_again_at_the_end_of_its_stream_is(method, monkeypatch):
    async def main() -> None:
        kind, body = WRITERS[RESPONSES]
        found = noted(monkeypatch, f"{kind}.{method}")
        include = {"include": ["message.output_text.logprobs"], "stream": True}
        async with serving() as toy:
            await call(toy.app, RESPONSES, {**body, **SHORT, **include})
            await call(toy.app, RESPONSES, {**body, **SHORT, "stream": True})
        assert found == [False, True]

    run(main)


def test_the_tokens_of_a_text_are(monkeypatch):
    async def main() -> None:
        names = ("display", "encode", "decode")
        kind = "foretell.text.tokenizer.Tokenizer"
        async with serving() as toy:
            found = [noted(monkeypatch, f"{kind}.{name}") for name in names]
            body = {"prompt": "the cat", "return_token_strs": True}
            ids = (await call(toy.app, "/tokenize", body)).data["tokens"]
            await call(toy.app, "/detokenize", {"tokens": ids})
        assert all(found)
        assert not any(is_main for one in found for is_main in one)

    run(main)
