"""What comes behind a request on its connection: it hides neither the end of it nor an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.toy_async import run

from foretell.server.listening import addresses_of, listen
from foretell.server.uvicorn_server import make_server

LONG = b"POST /long HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx"
SHORT = b"GET /short HTTP/1.1\r\nhost: a\r\n\r\n"
CHUNKED = b"POST /long HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"


pytestmark = pytest.mark.usefixtures("_parser")


class App:
    """Answers shortly, or once it is told to; notes who leaves before."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.has_left = asyncio.Event()
        self.paths: list[str] = []
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        self.scopes.append(scope)
        message = await receive()
        while message.get("more_body"):
            message = await receive()
        if message["type"] == "http.disconnect":
            self.has_left.set()
            return
        if scope["path"] == "/long":
            self.has_begun.set()
            ends = asyncio.create_task(self.may_end.wait())
            leaves = asyncio.create_task(receive())
            await asyncio.wait({ends, leaves}, return_when=asyncio.FIRST_COMPLETED)
            if not ends.done():
                assert leaves.result()["type"] == "http.disconnect"
                self.has_left.set()
                return
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[App, asyncio.StreamReader, asyncio.StreamWriter]]:
    app = App()
    listeners = listen(addresses_of("127.0.0.1", 0))
    server = make_server(app, 60)
    serving = asyncio.create_task(server.serve(list(listeners.sockets)))
    await server.is_listening.wait()
    reader, writer = await asyncio.open_connection(*listeners.sockets[0].getsockname())
    try:
        yield app, reader, writer
    finally:
        writer.close()
        server.end()
        await serving
    assert not server.server_state.tasks


@pytest.mark.parametrize("behind", [LONG, LONG * 200, SHORT[:-2], b"x: " * 2**19, LONG + b"?" * 99])
def test_who_leaves_is_noticed_whatever_lies_behind_the_request(behind):
    async def main() -> None:
        async with connected() as (app, _, writer):
            writer.write(LONG)
            await asyncio.wait_for(app.has_begun.wait(), 30)
            writer.write(behind)
            await asyncio.wait_for(writer.drain(), 30)
            writer.transport.abort()
            await asyncio.wait_for(app.has_left.wait(), 30)
            await asyncio.sleep(0)
            assert app.paths == ["/long"]

    run(main)


def test_requests_that_come_at_once_are_all_ended_where_the_client_leaves():
    async def main() -> None:
        async with connected() as (app, _, writer):
            writer.write(LONG * 3)
            await asyncio.wait_for(app.has_begun.wait(), 30)
            writer.close()
            await asyncio.wait_for(app.has_left.wait(), 30)
            assert app.paths == ["/long"]

    run(main)


def test_requests_that_come_at_once_are_answered_in_turns():
    async def main() -> None:
        async with connected() as (app, reader, writer):
            writer.write(SHORT + LONG + SHORT * 100)
            await asyncio.wait_for(app.has_begun.wait(), 30)
            app.may_end.set()
            for _ in range(102):
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\nok"), 30)
            assert len(app.paths) == 102
            writer.write(SHORT)
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\nok"), 30)

    run(main)


@pytest.mark.parametrize("behind", [SHORT * 4000, b"nonsense\r\n\r\n"])
def test_what_is_too_much_or_nonsense_is_passed_over_once_the_request_is_answered(behind):
    async def main() -> None:
        async with connected() as (app, reader, writer):
            writer.write(LONG)
            await asyncio.wait_for(app.has_begun.wait(), 30)
            writer.write(behind)
            await asyncio.wait_for(writer.drain(), 30)
            await asyncio.sleep(0.1)
            app.may_end.set()
            received = await asyncio.wait_for(reader.read(), 30)
            assert received.startswith(b"HTTP/1.1 200")
            assert b"ok" in received
            assert app.paths == ["/long"]

    run(main)


@pytest.mark.parametrize("chunk", [b"-1\r\n", b"xyz\r\n", b"1\r\nabc", b"1\r\na\r\n-1\r\n"])
def test_bad_chunks_are_refused_in_the_form_of_openai(chunk):
    async def main() -> None:
        async with connected() as (app, reader, writer):
            writer.write(CHUNKED)
            await asyncio.sleep(0.05)
            writer.write(chunk)
            received = await asyncio.wait_for(reader.read(), 30)
            head, _, body = received.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400")
            assert json.loads(body)["error"]["type"] == "invalid_request_error"
            await asyncio.wait_for(app.has_left.wait(), 30)

    run(main)


def test_a_head_that_is_too_long_has_a_status_of_its_own():
    async def main() -> None:
        async with connected() as (app, reader, writer):
            writer.write(b"GET /short HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 70_000)
            received = await asyncio.wait_for(reader.read(), 30)
            head, _, body = received.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 431")
            assert json.loads(body)["error"]["type"] == "invalid_request_error"
            assert app.paths == []

    run(main)


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        (b"/short", b"a", "/short"),
        (b"http://other.example:80/short?x", b"other.example:80", "/short"),
        (b"http://other.example", b"other.example", "/"),
        (b"HTTPS://a/http://b/", b"a", "/http://b/"),
    ],
)
def test_a_host_in_the_target_is_the_one_that_counts(target, host, path):
    async def main() -> None:
        async with connected() as (app, reader, writer):
            writer.write(b"GET " + target + b" HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\nok"), 30)
            assert app.paths == [path]
            assert (b"host", host) in app.scopes[0]["headers"]
            assert len(app.scopes[0]["headers"]) == 2

    run(main)
