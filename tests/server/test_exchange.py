"""A request's way to the engine and back: who waits, who is refused, what a failure leaves."""

from __future__ import annotations

import asyncio
import logging

import pytest
from support.asgi import begin, call
from support.toy import VOCAB_SIZE
from support.toy_async import SCRIPT, GatedBackend, run, until_queued
from support.toy_server import COMPLETIONS, serving

from foretell.backends.base import Batch
from foretell.backends.scripted import ScriptedBackend
from foretell.server.log import LOGGER
from foretell.server.writers import CompletionWriter
from foretell.utils.arrays import Logits


@pytest.mark.parametrize("prompt", ["a", ["a"], ["a", "b"]])
@pytest.mark.parametrize("streams", [False, True])
def test_whatever_finds_the_queue_full_is_refused_before_the_headers(prompt, streams):
    async def main() -> None:
        backend = GatedBackend()
        async with serving(backend, max_waiting=1, max_running=1) as toy:
            body = {"prompt": prompt, "max_tokens": 3, "temperature": 0, "stream": streams}
            first = begin(toy.app, COMPLETIONS, body)
            await asyncio.to_thread(backend.is_waiting.wait)  # it runs, and holds the engine
            others = [begin(toy.app, COMPLETIONS, body) for _ in range(8)]
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
