"""`serve`, and what becomes of a server whose model fails."""

from __future__ import annotations

import asyncio
import threading
import urllib.error
import urllib.request

import pytest
from support.asgi import call
from support.toy_async import run, scripted, toy_async_llm
from support.toy_chat import chatting_tokenizer
from support.toy_server import COMPLETIONS

from foretell import AsyncLLM
from foretell.errors import ForetellError, RequestError
from foretell.server.app import create_app
from foretell.server.listening import addresses_of, listen
from foretell.server.options import ServerOptions
from foretell.server.serving import serve
from foretell.worker.dispatcher import Dispatcher

SHORT = {"prompt": "the cat", "max_tokens": 3}


@pytest.fixture
def _failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's thread fails with the first request."""
    accept = Dispatcher.accept

    def accept_and_fail(self: Dispatcher, submission: object) -> None:
        accept(self, submission)  # type: ignore[arg-type]
        monkeypatch.setattr(Dispatcher, "work", fail)

    def fail(self: Dispatcher) -> None:
        raise RuntimeError("the machine is on fire")

    monkeypatch.setattr(Dispatcher, "accept", accept_and_fail)


@pytest.mark.usefixtures("_failing")
def test_a_server_whose_model_has_failed_says_so() -> None:
    async def main() -> None:
        llm = await toy_async_llm().open()
        app = create_app(llm, ServerOptions(model_names=("toy",)))
        assert (await call(app, "/health")).status == 200
        ending = asyncio.create_task(llm.ended())
        for _ in range(2):
            assert (await call(app, COMPLETIONS, SHORT)).status == 500
        with pytest.raises(RuntimeError, match="on fire"):
            await asyncio.wait_for(ending, 30)
        with pytest.raises(RuntimeError, match="on fire"):
            await llm.ended()
        assert isinstance(llm.failure, RuntimeError)
        for path in ("/health", "/ready"):
            answer = await call(app, path)
            assert (answer.status, answer.data) == (503, {"status": "failed"})
        assert (await call(app, "/metrics")).status == 200
        await llm.close()

    run(main)


def test_an_end_that_was_wanted_is_no_failure() -> None:
    async def main() -> None:
        llm = toy_async_llm()
        with pytest.raises(RequestError, match="not open"):
            await llm.ended()
        async with llm:
            ending = asyncio.create_task(llm.ended())
            await asyncio.sleep(0)
            assert not ending.done()
        await asyncio.wait_for(ending, 30)
        await llm.ended()
        assert llm.failure is None

    run(main)


def asked(url: str) -> int:
    """The status of an answer."""
    try:
        urllib.request.urlopen(f"{url}{COMPLETIONS}", b'{"prompt": "a"}', timeout=30)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


@pytest.mark.usefixtures("_failing")
def test_serve_ends_with_the_reason_where_the_model_fails() -> None:
    errors: list[BaseException] = []
    listeners = listen(addresses_of("127.0.0.1", 0))
    url = listeners.url

    def serve_toy() -> None:
        try:
            llm = AsyncLLM(scripted(), tokenizer=chatting_tokenizer())
            serve(llm, ServerOptions(model_names=("toy",)), listeners)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=serve_toy, daemon=True)
    thread.start()
    while asked(url) == 503:  # it is loading
        assert thread.is_alive()
    thread.join(30)
    assert not thread.is_alive()
    (error,) = errors
    assert isinstance(error, ForetellError)
    assert "on fire" in str(error)
