"""What goes wrong, as openai-python tells it: its classes of errors, its retries, its timeouts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import openai as library
import pytest
from openai import AsyncOpenAI, DefaultHttpx2Client, OpenAI
from support.clients import RAY_PYTHON
from support.openai_callers import CALLERS, Caller
from support.served import Served, served
from support.toy_server import HELLO
from support.toy_troubles import LoadingBackend, SlowBackend, failing_backend

from foretell.server.options import ServerOptions

CHAT = "chat.completions.create"
COMPLETE = "completions.create"
RESPOND = "responses.create"
ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"model": "toy", "messages": HELLO},
    COMPLETE: {"model": "toy", "prompt": "the cat"},
    RESPOND: {"model": "toy", "input": "hello"},
}
ALL = pytest.mark.parametrize("path", ASKED)
LONG: dict[str, Any] = {**ASKED[COMPLETE], "max_tokens": 2000, "extra_body": {"ignore_eos": True}}


def refused(caller: Caller, path: str, **fields: Any) -> Any:
    """The error that a request is refused with, the same whether it streams or not."""
    found = []
    for ask in (caller.call, caller.chunks):
        with pytest.raises(library.APIStatusError) as caught:
            ask(path, **{**ASKED[path], **fields})
        found.append(caught.value)
    assert type(found[0]) is type(found[1])
    assert str(found[0]) == str(found[1])
    assert found[0].response.headers["x-request-id"] == found[0].request_id
    return found[0]


@ALL
def test_a_setting_out_of_range(openai: Caller, path: str):
    error = refused(openai, path, temperature=-1)
    assert type(error) is library.BadRequestError
    assert (error.status_code, error.type) == (400, "invalid_request_error")
    assert error.param == "temperature"
    assert error.code is None
    assert "temperature" in error.body["message"]


@ALL
def test_a_setting_by_the_name_that_was_sent(openai: Caller, path: str):
    name = "max_output_tokens" if path == RESPOND else "max_tokens"
    error = refused(openai, path, **{name: -1})
    assert error.param == name
    assert name in error.body["message"]


@ALL
def test_a_prompt_that_is_too_long(openai: Caller, path: str):
    name = {CHAT: "messages", COMPLETE: "prompt", RESPOND: "input"}[path]
    text = "word " * 400
    value = [{"role": "user", "content": text}] if path == CHAT else text
    error = refused(openai, path, **{name: value})
    assert type(error) is library.BadRequestError
    assert error.code == "context_length_exceeded"


@ALL
def test_what_is_not_supported(openai: Caller, path: str):
    if path == COMPLETE:
        error = refused(openai, path, suffix="the end")
        assert error.param == "suffix"
    else:
        error = refused(openai, path, extra_body={"cache_salt": "salt"})
        assert error.param == "cache_salt"
    assert type(error) is library.BadRequestError
    assert error.code == "unsupported_parameter"


@ALL
def test_another_model(openai: Caller, path: str):
    error = refused(openai, path, model="gpt-9")
    assert type(error) is library.NotFoundError
    assert (error.param, error.code) == ("model", "model_not_found")


def test_paths_that_are_not_there(openai: Caller):
    with pytest.raises(library.NotFoundError) as caught:
        openai.call("embeddings.create", model="toy", input="the cat")
    assert caught.value.body["message"]
    with pytest.raises(library.NotFoundError):
        openai.call("images.generate", model="toy", prompt="a cat")


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    """A server that wants a key."""
    with served(options=ServerOptions(model_names=("toy",), api_keys=("secret",))) as server:
        yield server


@pytest.mark.parametrize("kind", CALLERS)
def test_keys(guarded: Served, kind: str):
    with CALLERS[kind](guarded.url, api_key="secret") as caller:
        for path, fields in ASKED.items():
            assert caller.call(path, **fields)
    with CALLERS[kind](guarded.url, api_key="guess") as caller:
        error = refused(caller, CHAT)
        assert type(error) is library.AuthenticationError
        assert error.code == "invalid_api_key"
        with pytest.raises(library.AuthenticationError):
            caller.call("models.list")


def test_models(openai: Caller):
    assert [model.id for model in openai.call("models.list").data] == ["toy", "alias"]
    model = openai.call("models.retrieve", model="alias")
    assert (model.id, model.object, model.owned_by) == ("alias", "model", "foretell")
    with pytest.raises(library.NotFoundError) as caught:
        openai.call("models.retrieve", model="gpt-9")
    assert caught.value.code == "model_not_found"


class Asking:
    """An `OpenAI` that tells the status of each answer as it comes.

    Attributes:
        statuses: of all answers so far, those that were retried too.
        client: openai-python's.
    """

    def __init__(self, server: Served, on_status: Any = None, **options: Any) -> None:
        self.statuses: list[int] = []

        def hear(response: Any) -> None:
            self.statuses.append(response.status_code)
            if on_status is not None:
                on_status(response.status_code)

        hooked = DefaultHttpx2Client(event_hooks={"response": [hear]})
        self.client = OpenAI(base_url=server.url, api_key="none", http_client=hooked, **options)


@contextmanager
def asking(server: Served, on_status: Any = None, **options: Any) -> Iterator[Asking]:
    found = Asking(server, on_status, **options)
    with found.client:
        yield found


def test_a_full_queue_is_asked_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("foretell.server.errors.RETRY_SECONDS", 1)
    with served(SlowBackend, max_running=1, max_waiting=1) as server, asking(server) as first:
        others = [first.client.completions.create(**LONG, stream=True) for _ in range(2)]
        server.until_running(2)
        with asking(server, max_retries=0) as one, pytest.raises(library.RateLimitError) as caught:
            one.client.completions.create(**ASKED[COMPLETE])
        error = caught.value
        assert (error.type, error.code) == ("rate_limit_error", "queue_full")
        assert 0 < float(error.response.headers["retry-after"]) <= 120

        def leave(status: int) -> None:
            if status == 429:
                for stream in others:
                    stream.close()

        with asking(server, leave) as one:
            assert one.client.completions.create(**ASKED[COMPLETE]).choices
            assert one.statuses == [429, 200]


def test_a_model_that_is_loading_is_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("foretell.server.lifecycle.RETRY_SECONDS", 1)
    flag = tmp_path / "loaded"

    def let(status: int) -> None:
        if status == 503:
            flag.touch()

    make = partial(LoadingBackend, flag)
    with served(make, loads=True) as server, asking(server, let, max_retries=9) as one:
        assert one.client.completions.create(**ASKED[COMPLETE]).choices
        # to begin a replica takes its time
        assert ([*dict.fromkeys(one.statuses)] if RAY_PYTHON else one.statuses) == [503, 200]


def test_what_would_fail_again_is_not_asked_again():
    with served(partial(failing_backend, 3)) as server, asking(server, max_retries=2) as one:
        with pytest.raises(library.InternalServerError) as caught:
            one.client.completions.create(model="toy", prompt=[1, 2, 3])
        assert one.statuses == [500]
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert one.client.completions.create(model="toy", prompt=[1, 2, 3, 4]).choices


@pytest.fixture(scope="module")
def failing() -> Iterator[Served]:
    """A server whose texts fail once they and their prompt have 60 tokens."""
    with served(partial(failing_backend, 60, context_length=512)) as server:
        yield server


@pytest.mark.parametrize("kind", CALLERS)
@ALL
def test_a_stream_that_fails_in_the_middle(failing: Served, kind: str, path: str):
    fields = {**ASKED[path], "extra_body": {"max_new_tokens": 100, "ignore_eos": True}}
    with CALLERS[kind](failing.url, _strict_response_validation=False) as caller:
        with pytest.raises(library.APIError) as caught:
            caller.chunks(path, **fields)
        assert caught.value.body["type"] == "server_error"
        assert "Traceback" not in str(caught.value)
        assert caller.call("models.list").data
    failing.check_idle()


@pytest.fixture
def slow() -> Iterator[Served]:
    """A server that writes slowly, and must not have written all in the end."""
    with served(SlowBackend) as server:
        yield server
        server.check_idle()
        assert 0 < server.stats().generated_tokens < 1500


def test_a_timeout_ends_the_request(slow: Served):
    with OpenAI(base_url=slow.url, api_key="none", timeout=1.0, max_retries=0) as client:
        with pytest.raises(library.APITimeoutError):
            client.completions.create(**LONG)
        slow.until_running(0)


def test_closing_a_stream_ends_the_request(slow: Served):
    with OpenAI(base_url=slow.url, api_key="none") as client:
        with client.completions.create(**LONG, stream=True) as stream:
            next(iter(stream))
            slow.until_running(1)
        slow.until_running(0)


def test_leaving_a_helper_ends_the_request(slow: Served):
    with OpenAI(base_url=slow.url, api_key="none") as client:
        fields = {**LONG, **ASKED[CHAT]}
        del fields["prompt"]
        with client.chat.completions.stream(**fields) as stream:
            next(iter(stream))
        slow.until_running(0)


@pytest.mark.parametrize("streams", [False, True])
def test_cancelling_a_task_ends_the_request(slow: Served, streams: bool):
    async def ask() -> None:
        async with AsyncOpenAI(base_url=slow.url, api_key="none") as client:
            answer: Any = await client.completions.create(**LONG, stream=streams)
            async for _ in answer:
                pass

    async def main() -> None:
        task = asyncio.create_task(ask())
        await asyncio.to_thread(slow.until_running, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(slow.until_running, 0)

    asyncio.run(main())
