"""A server under load: each answer is the one that a model alone gives, whoever vanishes beside.

    .venv/bin/python -m benchmarks.stress.served smollm2-135m-instruct --requests 200

Requests of every kind (served_requests.py) go through some connections at once, in an order drawn
at random, while other clients come and leave at random moments. Every answer is compared with what
`LLM` answers alone: texts, ids, ends, log-probabilities as floats. At the end all KV blocks must be
free. Then, with `--signal`, all are asked again and the server is told to end in the middle:
whoever had an answer's head must get all of it, and the others are refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx

from benchmarks.common.serving import Server
from benchmarks.stress.served_requests import Told, Wish, alone, make_wishes, of_stream, of_whole
from foretell import LLM

PATIENCE = 300.0  # seconds that an answer may take


class Trial:
    """Some wishes, what they should be answered, and a server that is asked for them.

    Attributes:
        counts: answers that were right, differed, broke off, were refused; clients that left.
        complaints: what was wrong, at most a few.
    """

    def __init__(self, wishes: list[Wish], expected: list[list[Told] | None], url: str) -> None:
        self._wishes = wishes
        self._expected = expected
        self._url = url
        self.counts: Counter[str] = Counter()
        self.complaints: list[str] = []

    async def run(
        self,
        connections: int,
        rng: random.Random,
        *,
        leaving: float = 0.0,
        halfway: Callable[[], None] = lambda: None,
    ) -> None:
        """Ask for all wishes through so many connections.

        Args:
            connections: how many at once.
            rng: draws the order, and who leaves when.
            leaving: clients that leave, for each that stays.
            halfway: is called when half the answers have come.
        """
        limits = httpx.Limits(max_connections=connections)
        places = [(place, True) for place in range(len(self._wishes))]
        places += [(place, False) for place, _ in places if rng.random() < leaving]
        rng.shuffle(places)
        self._half, self._halfway = len(places) // 2, halfway
        async with httpx.AsyncClient(base_url=self._url, limits=limits, timeout=PATIENCE) as client:
            await asyncio.gather(
                *(
                    self._stay(client, place) if stays else self._leave(client, place, rng)
                    for place, stays in places
                )
            )

    async def _stay(self, client: httpx.AsyncClient, place: int) -> None:
        wish = self._wishes[place]
        has_begun = False
        try:
            async with client.stream("POST", wish.path, json=wish.body) as response:
                has_begun = response.status_code == 200
                data = await response.aread()
            self._judge(place, response.status_code, data)
        except httpx.HTTPError as error:
            self.counts["broken" if has_begun else "unreachable"] += 1
            if has_begun:
                self._complain(place, f"an answer that had begun broke off: {error!r}")
        self._half -= 1
        if self._half == 0:
            self._halfway()

    def _judge(self, place: int, status: int, data: bytes) -> None:
        wish = self._wishes[place]
        if status == 503:
            self.counts["refused"] += 1
            return
        if status == 400 and self._expected[place] is None:
            self.counts["right"] += 1
            return
        if status != 200:
            self.counts["failed"] += 1
            self._complain(place, f"status {status}: {data[:300]!r}")
            return
        found = of_stream(_events(data)) if wish.streams else of_whole(json.loads(data))
        is_whole = not wish.streams or data.endswith(b"data: [DONE]\n\n")
        if is_whole and found == self._expected[place]:
            self.counts["right"] += 1
            return
        self.counts["different"] += 1
        self._complain(place, f"{found} is not {self._expected[place]}")

    async def _leave(self, client: httpx.AsyncClient, place: int, rng: random.Random) -> None:
        """Ask, and go away at some moment."""
        wish = self._wishes[place]
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(rng.expovariate(3.0)):
                async with client.stream("POST", wish.path, json=wish.body) as response:
                    async for _ in response.aiter_bytes():
                        if rng.random() < 0.1:
                            break
        self.counts["left"] += 1

    def _complain(self, place: int, what: str) -> None:
        if len(self.complaints) < 10:
            body = json.dumps(self._wishes[place].body)[:500]
            self.complaints.append(f"request {place}: {body}: {what[:1000]}")


def _events(data: bytes) -> list[Any]:
    lines = [line for line in data.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line[6:]) for line in lines if line != b"data: [DONE]"]


async def free_blocks(url: str) -> tuple[float, float]:
    """Running and waiting requests, and the share of blocks in use, once nothing is asked."""
    async with httpx.AsyncClient(base_url=url) as client:
        for _ in range(100):
            page = (await client.get("/metrics")).text
            busy = _metric(page, "num_requests_running") + _metric(page, "num_requests_waiting")
            used = _metric(page, "kv_cache_usage_perc")
            if not busy and not used:
                break
            await asyncio.sleep(0.05)
    return busy, used


def _metric(page: str, name: str) -> float:
    lines = [line for line in page.splitlines() if line.startswith(f"foretell:{name}{{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def main() -> None:
    """Run, tell, and complain."""
    parser = argparse.ArgumentParser(description="a server under load: the same answers")
    parser.add_argument("model")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--leaving", type=float, default=0.5, help="clients that leave, a request")
    parser.add_argument("--signal", action="store_true", help="end the server in the middle too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    wishes = make_wishes(arguments.requests, arguments.seed)
    started = time.monotonic()
    with LLM(arguments.model, threads=arguments.threads) as llm:
        expected = [alone(llm, wish) for wish in wishes]
    print(f"{len(wishes)} answers alone in {time.monotonic() - started:.0f} s", flush=True)
    complaints = _under_load(arguments, wishes, expected)
    if arguments.signal:
        complaints += _until_signal(arguments, wishes, expected)
    for complaint in complaints:
        print(f"served: {complaint}", file=sys.stderr)
    raise SystemExit(bool(complaints))


def _under_load(
    arguments: argparse.Namespace, wishes: list[Wish], expected: list[list[Told] | None]
) -> list[str]:
    rng = random.Random(arguments.seed)
    with Server(arguments.model, "--threads", arguments.threads) as server:
        trial = Trial(wishes, expected, server.url)
        started = time.monotonic()
        asyncio.run(trial.run(arguments.connections, rng, leaving=arguments.leaving))
        seconds = time.monotonic() - started
        busy, used = asyncio.run(free_blocks(server.url))
    print(f"served in {seconds:.0f} s: {dict(trial.counts)}; busy {busy}, blocks used {used}")
    if trial.counts["right"] != len(wishes):
        trial.complaints.append(f"of {len(wishes)} answers {trial.counts['right']} were right")
    if busy or used:
        trial.complaints.append(f"{busy} requests and {used:.0%} of the blocks are left")
    return trial.complaints


def _until_signal(
    arguments: argparse.Namespace, wishes: list[Wish], expected: list[list[Told] | None]
) -> list[str]:
    rng = random.Random(arguments.seed + 1)
    options = ("--threads", arguments.threads, "--shutdown-timeout", 120)
    with Server(arguments.model, *options) as server:
        trial = Trial(wishes, expected, server.url)
        asyncio.run(trial.run(arguments.connections, rng, halfway=server.terminate))
        code = server.process.wait(60)
    print(f"ended in the middle: {dict(trial.counts)}; exit code {code}")
    if code:
        trial.complaints.append(f"the server ended with exit code {code}")
    return trial.complaints


if __name__ == "__main__":
    main()
