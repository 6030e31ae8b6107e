"""Connections, by either parser of HTTP: limits, and errors in OpenAI's form."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.toy_async import run

from foretell.server import connections
from foretell.server.listening import addresses_of, listen
from foretell.server.uvicorn_server import make_server

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n"


@pytest.fixture(params=["h11_impl:H11Protocol", "httptools_impl:HttpToolsProtocol"])
def _parser(request, monkeypatch):
    module, name = request.param.split(":")
    if module.startswith("httptools"):
        pytest.importorskip("httptools")
    protocols = importlib.import_module(f"uvicorn.protocols.http.{module}")
    monkeypatch.setattr(connections, "AutoHTTPProtocol", getattr(protocols, name))


pytestmark = pytest.mark.usefixtures("_parser")


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(0.4)
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server, which must let go of it at the end."""
    listeners = listen(addresses_of("127.0.0.1", 0))
    server = make_server(app, 60)
    serving = asyncio.create_task(server.serve(list(listeners.sockets)))
    await server.is_listening.wait()
    host, port = listeners.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    yield reader, writer
    writer.close()
    server.end()
    await serving
    assert not server.server_state.connections
    assert not server.server_state.tasks


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = (
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    return int(head.split()[1]), await reader.readexactly(length)


def test_requests_follow_each_other_on_a_connection():
    async def main() -> None:
        async with connected() as (reader, writer):
            writer.write(GET + SLOW + GET)
            for _ in range(3):
                assert await answer(reader) == (200, b"ok")

    run(main)


def test_an_idle_connection_is_closed(monkeypatch):
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)

    async def main() -> None:
        for sent in (b"", GET[:20]):
            async with connected() as (reader, writer):
                writer.write(sent)
                assert await asyncio.wait_for(reader.read(), 5) == b""
        async with connected() as (reader, writer):
            writer.write(SLOW)
            assert await answer(reader) == (200, b"ok")  # it was not idle
            writer.write(GET[:20])
            assert await asyncio.wait_for(reader.read(), 5) == b""

    run(main)


def test_a_head_that_never_ends_is_refused():
    async def main() -> None:
        for piece in (b"x", b"x: y\r\n"):
            async with connected() as (reader, writer):
                writer.write(GET[:-2] + b"long: ")
                for _ in range(70):
                    writer.write(piece * (1024 // len(piece)))
                    await asyncio.sleep(0)
                status, body = await answer(reader)
                assert status in (400, 431)
                assert json.loads(body)["error"]["type"] == "invalid_request_error"

    run(main)


def test_nonsense_after_a_request_does_not_mix_with_its_answer():
    async def main() -> None:
        async with connected() as (reader, writer):
            writer.write(SLOW + b"nonsense\r\n\r\n")
            received = await asyncio.wait_for(reader.read(), 5)
            assert received.count(b"HTTP/1.1") <= 2
            assert received.startswith((b"", b"HTTP/1.1 200"))

    run(main)


def test_a_body_that_nobody_reads_is_passed_over():
    async def main() -> None:
        async with connected() as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n")
            assert await answer(reader) == (200, b"ok")
            writer.write(b"x" * 1_000_000)
            await writer.drain()
            writer.write(GET)
            assert await answer(reader) == (200, b"ok")

    run(main)
