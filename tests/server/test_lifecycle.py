"""A server's life in one event loop: hosts that start and end it, drains, failures."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.asgi import begin, call
from support.toy_async import GatedBackend, run, scripted, settled, toy_async_llm
from support.toy_chat import chatting_tokenizer
from support.toy_server import COMPLETIONS, serving

from foretell import AsyncLLM
from foretell.errors import ModelNotFoundError, RequestError
from foretell.server.app import application, create_app
from foretell.server.front import Front
from foretell.server.lifecycle import Lifecycle
from foretell.server.options import ServerOptions
from foretell.server.state import ServerState

SHORT = {"prompt": "the cat", "max_tokens": 3, "temperature": 0}
STREAM = {**SHORT, "stream": True}


def state_of(llm: AsyncLLM) -> ServerState:
    return ServerState(llm, ServerOptions(model_names=("toy",)), Lifecycle())


async def loaded(backend: GatedBackend) -> tuple[AsyncLLM, ServerState, Front]:
    """A model that has been loaded, its server's state, and its application."""
    llm = AsyncLLM(backend, tokenizer=chatting_tokenizer())
    state = state_of(llm)
    state.lifecycle.begin(llm)
    await state.lifecycle.loaded()
    return llm, state, application(state)


class Host:
    """A host of ASGI that starts an application and ends it."""

    def __init__(self, app: Any) -> None:
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._outbox: asyncio.Queue[Any] = asyncio.Queue()
        scope = {"type": "lifespan"}
        self._task = asyncio.create_task(app(scope, self._inbox.get, self._outbox.put))

    async def start(self) -> None:
        await self._inbox.put({"type": "lifespan.startup"})
        assert (await self._outbox.get())["type"] == "lifespan.startup.complete"

    async def end(self) -> None:
        await self._inbox.put({"type": "lifespan.shutdown"})
        assert (await self._outbox.get())["type"] == "lifespan.shutdown.complete"
        await self._task


def test_a_host_opens_a_model_and_closes_it():
    async def main() -> None:
        llm = AsyncLLM(scripted(), tokenizer=chatting_tokenizer())
        state = state_of(llm)
        host = Host(app := application(state))
        await host.start()
        assert (await call(app, COMPLETIONS, SHORT)).status in (200, 503)
        await state.lifecycle.loaded()
        assert (await call(app, COMPLETIONS, SHORT)).status == 200
        await host.end()
        assert (await call(app, COMPLETIONS, SHORT)).status == 503
        assert (await call(app, "/health")).status == 503
        with pytest.raises(RequestError, match="closed"):
            await llm.stats()

    run(main)


def test_a_model_that_was_open_before_stays_open():
    async def main() -> None:
        async with toy_async_llm() as llm:
            host = Host(app := application(state_of(llm)))
            await host.start()
            assert (await call(app, "/ready")).status == 200
            await host.end()
            assert (await call(app, "/ready")).status == 503
            await settled(llm)

    run(main)


def test_a_failure_to_load_is_kept_and_told():
    async def main() -> None:
        state = state_of(AsyncLLM("no-such-model-anywhere"))
        app = application(state)
        await call(app, "/health")
        with pytest.raises(ModelNotFoundError):
            await state.lifecycle.loaded()
        answer = await call(app, COMPLETIONS, SHORT)
        assert answer.status == 503
        assert "could not be loaded" in answer.error["message"]
        assert (await call(app, "/health")).status == 503

    run(main)


def test_a_drain_lets_everything_end_that_runs():
    async def main() -> None:
        backend = GatedBackend()
        llm, state, app = await loaded(backend)
        calls = [begin(app, COMPLETIONS, body) for body in (SHORT, STREAM, STREAM)]
        await asyncio.to_thread(backend.is_waiting.wait, 30)
        assert state.lifecycle.num_running == 3
        draining = asyncio.create_task(state.lifecycle.drain(llm, 60))
        await asyncio.sleep(0)
        late = await call(app, COMPLETIONS, SHORT)
        assert (late.status, late.headers["connection"]) == (503, "close")
        assert (await call(app, "/metrics")).status == 200
        backend.open()
        assert await draining == 0
        answers = [await one.ended() for one in calls]
        assert [answer.status for answer in answers] == [200] * 3
        assert all(answer.events[-1] == "[DONE]" for answer in answers[1:])

    run(main)


def test_what_a_drain_cuts_off_is_told_so():
    async def main() -> None:
        backend = GatedBackend()
        llm, state, app = await loaded(backend)
        stream = begin(app, COMPLETIONS, STREAM)
        await asyncio.to_thread(backend.is_waiting.wait, 30)  # the first step is the stream's
        whole = begin(app, COMPLETIONS, SHORT)
        backend.release()
        await stream.until(b"data: ")
        draining = asyncio.create_task(state.lifecycle.drain(llm, 0.01))
        await asyncio.sleep(0.1)
        backend.open()  # a step is not broken off
        assert await draining == 2
        ended = await stream.ended()
        assert "[DONE]" not in ended.events
        assert ended.events[-1]["error"]["type"] == "service_unavailable_error"
        assert ended.has_ended
        told = await whole.ended()
        assert (told.status, told.error["message"]) == (503, "the server is shutting down")

    run(main)


def test_what_does_not_even_hear_of_the_end_is_cancelled():
    async def main() -> None:
        async with serving() as toy:
            lifecycle = toy.app._state.lifecycle
            stuck = begin(toy.app, COMPLETIONS, b"")
            stuck._body = None  # the body never comes
            await asyncio.sleep(0.01)
            assert await lifecycle.drain(toy.llm, 0.01) == 1
            told = await stuck.ended()
            assert told.status == 503
            assert told.headers["connection"] == "close"

    run(main)


def test_it_begins_once():
    async def main() -> None:
        llm = toy_async_llm()
        lifecycle = Lifecycle()
        for _ in range(2):
            lifecycle.begin(llm)
        await lifecycle.loaded()
        assert lifecycle.phase == "ready"
        await lifecycle.close(llm)

    run(main)


def test_a_host_hears_in_the_log_why_a_model_cannot_be_loaded(caplog):
    async def main() -> None:
        app = create_app(AsyncLLM("there-is-no-such-model"))
        messages = asyncio.Queue()
        told = asyncio.Queue()
        await messages.put({"type": "lifespan.startup"})
        host = asyncio.create_task(app({"type": "lifespan"}, messages.get, told.put))
        assert (await told.get())["type"] == "lifespan.startup.complete"
        while "there-is-no-such-model" not in caplog.text:
            await asyncio.sleep(0.01)
        await messages.put({"type": "lifespan.shutdown"})
        await asyncio.wait_for(host, 30)

    run(main)
