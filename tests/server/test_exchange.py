"""A request's way to the engine and back: who waits, who is refused, what a failure leaves."""

from __future__ import annotations

import asyncio

import pytest
from support.asgi import begin
from support.toy_async import GatedBackend, run, until_queued
from support.toy_server import COMPLETIONS, serving


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
