"""Connections, by either parser of HTTP: limits, and errors in OpenAI's form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from support.toy_async import run

from foretell.server import connections
from foretell.server.listening import addresses_of, listen
from foretell.server.uvicorn_server import Server, make_server

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n"
LARGE = 24_000_000


pytestmark = pytest.mark.usefixtures("_parser")


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(0.4)
    if scope["path"] == "/large":
        await send_large(send)
        return
    if scope["path"] == "/read":
        while (await receive()).get("more_body"):
            pass
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def send_large(send: Any) -> None:
    headers = [(b"content-length", str(LARGE).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * LARGE})


@asynccontextmanager
async def serving(send_timeout: float = 60) -> AsyncIterator[tuple[Server, tuple[str, int]]]:
    """A server and its address; it must let go of all connections at the end."""
    listeners = listen(addresses_of("127.0.0.1", 0))
    server = make_server(app, send_timeout)
    task = asyncio.create_task(server.serve(list(listeners.sockets)))
    await server.is_listening.wait()
    yield server, listeners.sockets[0].getsockname()
    server.end()
    await task
    assert not server.server_state.connections
    assert not server.server_state.tasks


@asynccontextmanager
async def connected(
    send_timeout: float = 60,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server, which must let go of it at the end."""
    async with serving(send_timeout) as (_, place):
        reader, writer = await asyncio.open_connection(*place)
        yield reader, writer
        writer.close()


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


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
@pytest.mark.parametrize("size", [60_000, 100_000, 200_000, 1_000_000])
def test_a_long_head_is_refused_however_it_is_cut_into_reads(size, end):
    async def main() -> None:
        async with connected() as (reader, writer):
            writer.write(GET[:-2] + b"long: " + b"x" * size)
            writer.write(end if size > connections.MAX_HEAD_BYTES else b"\r\n\r\n")
            status, body = await asyncio.wait_for(answer(reader), 10)
            if size < connections.MAX_HEAD_BYTES:
                assert (status, body) == (200, b"ok")
            else:
                assert status in (400, 431)  # h11 has a bound and a word of its own
                assert json.loads(body)["error"]["type"] == "invalid_request_error"

    run(main)


@pytest.mark.parametrize("field", [b"t: " + b"x" * 10_000 + b"\r\n", b"x" * 10_000])
def test_what_follows_a_body_has_a_bound(field):
    async def main() -> None:
        async with connected() as (reader, writer):
            head = b"POST /read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
            writer.write(head + b"1\r\na\r\n0\r\n")
            with suppress(ConnectionError):
                for _ in range(200):
                    writer.write(field)
                    await asyncio.wait_for(writer.drain(), 10)
            with suppress(ConnectionError):
                writer.write(b"\r\n\r\n")
                received = await asyncio.wait_for(reader.read(), 10)
                assert b"200 OK" not in received

    run(main)


def test_small_parts_of_a_body_are_no_head():
    async def main() -> None:
        async with connected() as (reader, writer):
            head = b"POST /read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
            writer.write(head + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n")
            assert await asyncio.wait_for(answer(reader), 30) == (200, b"ok")

    run(main)


def test_a_reader_that_takes_nothing_is_given_up():
    async def main() -> None:
        async with serving(send_timeout=0.3) as (server, place):
            _, writer = await asyncio.open_connection(*place)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
            async with asyncio.timeout(30):
                while not server.server_state.total_requests:
                    await asyncio.sleep(0.01)
                while server.server_state.connections:
                    await asyncio.sleep(0.01)
            writer.close()

    run(main)


def test_a_slow_reader_is_not_given_up_as_long_as_it_reads():
    async def main() -> None:
        async with connected(send_timeout=1) as (reader, writer):
            writer.write(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            size = 0
            while data := await reader.read(200_000):
                size += len(data)
                if size == LARGE:
                    break
                await asyncio.sleep(0.02)
            assert size == LARGE

    run(main)


def test_nonsense_after_a_request_does_not_mix_with_its_answer():
    async def main() -> None:
        async with connected() as (reader, writer):
            writer.write(SLOW + b"nonsense\r\n\r\n")
            with suppress(asyncio.IncompleteReadError):  # broken off, or answered in order
                assert await asyncio.wait_for(answer(reader), 5) == (200, b"ok")
                status, body = await asyncio.wait_for(answer(reader), 5)
                assert status == 400
                assert json.loads(body)["error"]["type"] == "invalid_request_error"
            assert await asyncio.wait_for(reader.read(), 5) == b""

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
