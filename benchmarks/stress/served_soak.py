"""Minutes of clients that come, go and misbehave: memory flat, nothing left, nothing that waits.

    .venv/bin/python -m benchmarks.stress.served_soak MODEL.gguf --minutes 15

Some clients read their answers, whole or streamed; some dawdle, leave in the middle, send half a
request, or bytes that are none, or what hostile_requests.py makes up. Once a minute all come to
rest: then nothing may run or wait, every KV block must be free, and the server's memory, open files
and threads are noted. Requests whose answers `LLM` has given alone must be answered the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchmarks.common.harness import options, write_result
from benchmarks.common.serving import Server
from benchmarks.stress.hostile_requests import hostile_requests
from benchmarks.stress.served import free_blocks
from benchmarks.stress.served_requests import Told, Wish, alone, make_wishes, of_whole
from foretell import LLM

PERIOD = 60.0
WARM_UP = 0.3  # share of the run after which memory must be flat
PATIENCE = 240.0  # seconds that an answer may take
KNOWN = 12
CONTEXT_LENGTH = 2048

ALLOWED = (200, 400, 403, 404, 405, 408, 413, 421, 429, 431)

Way = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Mark:
    """What was found at rest."""

    seconds: float
    resident_bytes: int
    open_files: int
    threads: int
    busy: float
    used: float
    counts: dict[str, int]

    def line(self) -> str:
        """One line for people."""
        return (
            f"{self.seconds / 60:5.1f} min: {self.resident_bytes / 1e6:.1f} MB, "
            f"{self.open_files} files, {self.threads} threads, busy {self.busy:g}, "
            f"blocks used {self.used:.1%}; {self.counts}"
        )


class Clients:
    """Clients of every kind, each of which sends one request after another.

    Attributes:
        counts: what they did.
        complaints: what must not happen, and how often it did.
    """

    def __init__(self, url: str, rng: random.Random, number: int) -> None:
        self.counts: Counter[str] = Counter()
        self.complaints: Counter[str] = Counter()
        self._url = url
        self._rng = rng
        self._number = number
        self._wishes = make_wishes(300, 7)
        self._hostile = list(hostile_requests(5000, 11))
        self._known: list[tuple[Wish, list[Told]]] = []

    async def fill(self) -> None:
        """Fill the KV pool once, whose memory the system gives when it is used."""
        async with self._client() as client:
            long = [[300 + 7 * one + place % 900 for place in range(1600)] for one in range(4)]
            body = {"prompt": long, "max_tokens": 1, "temperature": 0}
            (await client.post("/v1/completions", json=body)).raise_for_status()

    def learn(self, llm: LLM) -> None:
        """Take note of what a model answers that does nothing else."""
        told = ((wish, alone(llm, wish)) for wish in self._wishes)
        self._known = [(wish, one) for wish, one in islice(told, KNOWN) if one is not None]

    async def run(self, seconds: float) -> None:
        """Let all send requests for so long; come back when each is through."""
        deadline = time.monotonic() + seconds
        await asyncio.gather(*(self._one(deadline) for _ in range(self._number)))

    async def _one(self, deadline: float) -> None:
        ways: tuple[Way, ...] = (self._read, self._whole, self._repeat, self._dawdle, self._leave)
        ways += (self._leave_whole, self._half, self._garbage, self._hostility, self._linger)
        while time.monotonic() < deadline:
            way = self._rng.choice(ways)
            try:
                async with asyncio.timeout(PATIENCE):
                    await way()
            except TimeoutError:
                self.complaints[f"{way.__name__}: no end within {PATIENCE:g} s"] += 1
            except (httpx.HTTPError, OSError) as error:
                self.complaints[f"{way.__name__}: {type(error).__name__}: {error}"] += 1
            self.counts[way.__name__.strip("_")] += 1

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url, timeout=PATIENCE)

    async def _read(self, pause: float = 0.0) -> None:
        """Read a stream to its end."""
        wish = self._rng.choice(self._wishes)
        async with (
            self._client() as client,
            client.stream("POST", wish.path, json={**wish.body, "stream": True}) as response,
        ):
            data = b""
            async for part in response.aiter_bytes():
                data += part
                if pause:
                    await asyncio.sleep(self._rng.uniform(0, pause))
        self._expect(response.status_code in ALLOWED, f"status {response.status_code}")
        if response.status_code == 200:
            self._expect(data.endswith(b"data: [DONE]\n\n"), "a stream had no end")

    async def _dawdle(self) -> None:
        await self._read(pause=0.05)

    async def _whole(self) -> None:
        wish = self._rng.choice(self._wishes)
        async with self._client() as client:
            response = await client.post(wish.path, json={**wish.body, "stream": False})
        self._expect(response.status_code in ALLOWED, f"status {response.status_code}")

    async def _repeat(self) -> None:
        """A request whose answer is known."""
        wish, told = self._rng.choice(self._known)
        async with self._client() as client:
            response = await client.post(wish.path, json={**wish.body, "stream": False})
        if response.status_code == 200:
            self._expect(of_whole(response.json()) == told, "a known answer was another")
            self.counts["repeated"] += 1

    async def _leave(self) -> None:
        """Leave a stream at some moment."""
        wish = self._rng.choice(self._wishes)
        await self._cut(wish, stream=True)

    async def _leave_whole(self) -> None:
        await self._cut(self._rng.choice(self._wishes), stream=False)

    async def _cut(self, wish: Wish, *, stream: bool) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._rng.expovariate(3)), self._client() as client:
                body = {**wish.body, "stream": stream, "ignore_eos": True, "max_new_tokens": 200}
                await client.post(wish.path, json=body)

    async def _half(self) -> None:
        """Send the half of a request, and go."""
        data = self._raw(self._rng.choice(self._wishes))
        await self._send(data[: self._rng.randrange(len(data))], self._rng.uniform(0, 2))

    async def _garbage(self) -> None:
        await self._send(self._rng.randbytes(self._rng.choice((1, 50, 70_000))), 0.1)

    async def _linger(self) -> None:
        """Ask for a stream, and read nothing of it for a while."""
        await self._send(self._raw(self._rng.choice(self._wishes)), self._rng.uniform(0, 3))

    async def _hostility(self) -> None:
        request = self._rng.choice(self._hostile)
        headers = {
            name: value
            for name, value in request.headers.items()
            if name != "content-length" and "\t" not in value
        }
        async with self._client() as client:
            response = await client.request(
                request.method, request.path, content=request.body, headers=headers
            )
        self._expect(response.status_code in ALLOWED, f"status {response.status_code}: {request}")

    def _raw(self, wish: Wish) -> bytes:
        body = json.dumps({**wish.body, "stream": True}).encode()
        host = urlsplit(self._url).netloc
        head = f"POST {wish.path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    async def _send(self, data: bytes, seconds: float) -> None:
        """Send bytes, wait without reading, and go."""
        place = urlsplit(self._url)
        _, writer = await asyncio.open_connection(place.hostname, place.port)
        with suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(seconds)
        writer.transport.abort()

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.complaints[otherwise[:500]] += 1


def look(process: int) -> tuple[int, int, int]:
    """Resident bytes, open files and threads of a process."""
    folder = Path(f"/proc/{process}")
    resident = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resident, len(list((folder / "fd").iterdir())), len(list((folder / "task").iterdir()))


async def soak(arguments: argparse.Namespace, server: Server) -> dict[str, Any]:
    """Run it, and gather what was found."""
    clients = Clients(server.url, random.Random(arguments.seed), arguments.clients)
    with LLM(arguments.model, threads=arguments.threads, context_length=CONTEXT_LENGTH) as llm:
        clients.learn(llm)
    await clients.fill()
    marks: list[Mark] = []
    started = time.monotonic()
    num_periods = max(5, round(arguments.minutes * 60 / PERIOD))
    for _ in range(num_periods):
        await clients.run(arguments.minutes * 60 / num_periods)
        await asyncio.sleep(1)
        busy, used = await free_blocks(server.url)
        found = look(server.process.pid)
        seconds = time.monotonic() - started
        marks.append(Mark(seconds, *found, busy, used, dict(clients.counts)))
        print(marks[-1].line(), flush=True)
    complaints = [f"{count} × {what}" for what, count in clients.complaints.items()]
    complaints += [f"{mark.seconds:.0f} s: not at rest" for mark in marks if mark.busy or mark.used]
    complaints += _growth(marks, arguments)
    if "Traceback" in server.log:
        complaints.append(server.log[server.log.index("Traceback") :][:2000])
    told = [asdict(mark) for mark in marks]
    return {"minutes": arguments.minutes, "marks": told, "complaints": complaints}


def _growth(marks: list[Mark], arguments: argparse.Namespace) -> list[str]:
    """Whether anything grew after the warm-up: the least of each half is compared."""
    warm = marks[int(len(marks) * WARM_UP) :]
    early, late = warm[: len(warm) // 2], warm[len(warm) // 2 :]
    found = []
    for name, most in (
        ("resident_bytes", arguments.flat_mb * 1e6),
        ("open_files", 3),
        ("threads", 3),
    ):
        grown = min(getattr(one, name) for one in late) - min(getattr(one, name) for one in early)
        if grown > most:
            found.append(f"{name} grew by {grown}, more than {most:g}")
    return found


def main() -> None:
    """Run, write, and complain."""
    parser = options("clients that misbehave, for minutes", has_peers=False)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--flat-mb", type=float, default=8, help="growth that counts as flat")
    arguments = parser.parse_args()
    limits = ("--max-waiting", 8, "--num-blocks", 400, "--context-length", CONTEXT_LENGTH)
    with Server(arguments.model, "--threads", arguments.threads, *limits) as server:
        result = asyncio.run(soak(arguments, server))
    write_result("served-soak", arguments, result)
    for complaint in result["complaints"]:
        print(f"soak: {complaint}", file=sys.stderr)
    raise SystemExit(bool(result["complaints"]))


if __name__ == "__main__":
    main()
