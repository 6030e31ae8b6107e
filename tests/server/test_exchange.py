"""A request's way to the engine and back: who waits, who is refused, what a failure leaves."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from support.asgi import Call, begin, call
from support.toy import VOCAB_SIZE
from support.toy_async import SCRIPT, GatedBackend, run, until_queued
from support.toy_server import CHAT, COMPLETIONS, HELLO, serving

from foretell.backends.base import Batch
from foretell.backends.scripted import ScriptedBackend
from foretell.inputs.processor import InputProcessor, PreparedPrompts
from foretell.server.completion_writer import CompletionWriter
from foretell.server.errors import ApiError
from foretell.server.log import LOGGER
from foretell.server.options import ServerOptions
from foretell.utils.arrays import Logits


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (CHAT, {"messages": HELLO}),
        *((COMPLETIONS, {"prompt": prompt}) for prompt in ("a", ["a"], ["a", "b"])),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_whatever_finds_the_queue_full_is_refused_before_the_headers(path, asked, streams):
    async def main() -> None:
        backend = GatedBackend()
        async with serving(backend, max_waiting=1, max_running=1) as toy:
            body = {**asked, "max_tokens": 3, "temperature": 0, "stream": streams}
            first = begin(toy.app, path, body)
            await asyncio.to_thread(backend.is_waiting.wait)  # it runs, and holds the engine
            others = [begin(toy.app, path, body) for _ in range(8)]
            await until_queued(toy.llm, 8)
            backend.open()
            answers = [await one.ended() for one in (first, *others)]
            refused = [one for one in answers if one.status == 429]
            assert len(refused) >= 5
            for answer in refused:
                assert answer.error["code"] == "queue_full"
                assert answer.headers["retry-after"] == "5"
            for answer in answers:
                assert answer.status in (200, 429)
                assert b"queue_full" not in answer.body or answer.status == 429
            assert first.answer.status == 200

    run(main)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("failing", ["writer", "engine"])
def test_the_log_says_why_an_answer_has_failed(caplog, monkeypatch, streams, failing):
    class Broken(ScriptedBackend):
        def forward(self, batch: Batch) -> Logits:
            raise KeyError("the bug")

    def broken(*_: object) -> str:
        raise KeyError("the bug")

    async def main() -> None:
        backend = Broken(SCRIPT, vocab_size=VOCAB_SIZE) if failing == "engine" else None
        if failing == "writer":
            for name in ("whole", "chunk"):
                monkeypatch.setattr(CompletionWriter, name, broken)
        async with serving(backend) as toy:
            body = {"prompt": "a", "max_tokens": 2, "stream": streams}
            answer = await call(toy.app, COMPLETIONS, body)
            assert answer.status == (200 if streams else 500)
            told = answer.events[-1] if streams else answer.data
            assert told["error"]["type"] == "server_error"
            assert b"Traceback" not in answer.body

    caplog.set_level(logging.INFO, LOGGER.name)
    run(main)
    failures = [line for line in caplog.messages if "Traceback" in line]
    assert len(failures) == 1
    assert "the bug" in failures[0]


def held_preparation(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Preparation of prompts takes until this is set."""
    held, prepare = threading.Event(), InputProcessor.prepare

    def slowly(self: InputProcessor, *arguments: Any, **rest: Any) -> PreparedPrompts:
        assert held.wait(30)
        return prepare(self, *arguments, **rest)

    monkeypatch.setattr(InputProcessor, "prepare", slowly)
    return held


async def ended_soon(one: Call) -> bool:
    done, _ = await asyncio.wait({one.task}, timeout=10)
    return bool(done)


@pytest.mark.parametrize("streams", [False, True])
def test_who_leaves_while_the_prompt_is_prepared_is_not_answered(monkeypatch, streams):
    held = held_preparation(monkeypatch)

    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": "a", "max_tokens": 2, "stream": streams}
            one = begin(toy.app, COMPLETIONS, body)
            await asyncio.sleep(0)
            one.leave()
            assert await ended_soon(one)
            assert one.answer.status == 0
            held.set()

    run(main)


@pytest.mark.parametrize("streams", [False, True])
def test_who_leaves_before_the_queue_has_the_request_is_not_answered(streams):
    async def main() -> None:
        backend = GatedBackend()
        async with serving(backend) as toy:
            body = {"prompt": "a", "max_tokens": 2, "stream": streams}
            first = begin(toy.app, COMPLETIONS, body)
            await asyncio.to_thread(backend.is_waiting.wait, 30)  # nothing is taken meanwhile
            late = begin(toy.app, COMPLETIONS, body)
            await until_queued(toy.llm, 1)
            late.leave()
            assert await ended_soon(late)
            assert late.answer.status == 0
            backend.open()
            assert (await first.ended()).status == 200

    run(main)


def breaking_off(app: Any, count: int) -> Any:
    """The application on a host whose `send` raises after so many messages, as ASGI 2.4 has it."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        sent = 0

        async def send_or_raise(message: Any) -> None:
            nonlocal sent
            sent += 1
            if sent > count:
                raise OSError("the client has gone")
            await send(message)

        await app(scope, receive, send_or_raise)

    return broken


@pytest.mark.parametrize("wish", [{"stream": False}, {"stream": True}, {"max_tokens": -1}])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_host_that_raises_where_nobody_is_there_is_understood(caplog, wish, count):
    async def main() -> None:
        options = ServerOptions(model_names=("toy",), write_interval=0)
        async with serving(options=options) as toy:
            body = {"prompt": "a", "max_tokens": 9, "ignore_eos": True, **wish}
            one = begin(breaking_off(toy.app, count), COMPLETIONS, body)
            await one.ended()
            reasons = toy.app._state.metrics.finish_reasons
            assert reasons["error"] == 0
            assert reasons["abort"] == (0 if one.answer.has_ended or "max_tokens" in wish else 1)

    caplog.set_level(logging.INFO, LOGGER.name)
    run(main)
    assert "Traceback" not in caplog.text


def test_a_comment_that_finds_nobody_ends_its_stream():
    async def main() -> None:
        backend = GatedBackend()
        options = ServerOptions(model_names=("toy",), ping_interval=0.01)
        async with serving(backend, options=options) as toy:
            body = {"prompt": "a", "max_tokens": 9, "stream": True}
            one = begin(breaking_off(toy.app, 2), COMPLETIONS, body)
            assert await ended_soon(one)
            assert toy.app._state.metrics.finish_reasons["abort"] == 1
            backend.open()

    run(main)


def test_a_host_that_breaks_while_it_is_listened_to_ends_its_stream():
    async def main() -> None:
        backend = GatedBackend()
        async with serving(backend) as toy:
            one = begin(toy.app, CHAT, {"messages": HELLO, "max_tokens": 9, "stream": True})
            await one.until(b"data: ")  # the role, before any step
            one.fail(RuntimeError("the host is broken"))
            with pytest.raises(ApiError):
                await one.ended()
            backend.open()

    run(main)
