"""`foretell serve --ray` as a process: the same answers, and a replica that is killed."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.ray_processes import actors, kill, until_gone

from foretell import LLM
from foretell.scale.ray.cluster import Cluster
from foretell.scale.ray.deployed import Deployed, Sizing
from foretell.scale.ray.model import Opening
from foretell.server.options import ServerOptions

COMPLETIONS = "/v1/completions"
LONG: dict[str, Any] = {"max_tokens": 200, "ignore_eos": True, "temperature": 3.0}
TOKEN = "secret"
Outcomes = list[asyncio.Task[tuple[int, str]]]


@dataclass
class Front:
    """A front that runs.

    Attributes:
        url: where it listens.
        process: itself.
        lines: what it has said.
    """

    url: str
    process: subprocess.Popen[str]
    lines: list[str]

    @property
    def kind(self) -> str:
        """What its replicas are called."""
        return f"ServeReplica:foretell-toy-{socket.gethostname()}-{self.url.split(':')[-1]}"

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def status(self, path: str) -> int:
        return httpx.get(f"{self.url}{path}", trust_env=False, timeout=60).status_code

    def until_ready(self, status: int = 200, meanwhile: Callable[[], object] = int) -> None:
        deadline = time.monotonic() + 60
        while self.status("/ready") != status:
            assert time.monotonic() < deadline, self.lines
            meanwhile()
            time.sleep(0.05)


@contextmanager
def front(address: str, toy: Path, *more: str) -> Iterator[Front]:
    words = [sys.executable, "-W", "ignore", "-m", "foretell", "serve", str(toy)]
    words += [] if "--port" in more else ["--port", "0"]
    words += ["--ray", address, "--threads", "1", "--served-model-name", "toy", *more]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line)
            if "ready:" in line:
                break
        try:
            url = next(line.split()[-1] for line in lines if "listening at" in line)
            threading.Thread(target=lines.extend, args=(process.stderr,), daemon=True).start()
            yield Front(url, process, lines)
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()


@pytest.fixture(scope="module")
def served(address: str, toy_path: Path) -> Iterator[Front]:
    with front(address, toy_path, "--replicas", "2") as found:
        found.until_ready()
        yield found
    assert found.process.returncode == 0
    until_gone(found.kind)


def text_of(stream: str) -> str:
    events = [line[6:] for line in stream.splitlines() if line.startswith("data: {")]
    return "".join(json.loads(event)["choices"][0]["text"] for event in events)


def test_answers_are_those_of_the_model_alone(served: Front, toy_path: Path) -> None:
    asked = {"prompt": "the cat", "max_tokens": 12, "temperature": 3.0, "seed": 5}
    with LLM(toy_path, threads=1) as llm, served.client() as client:
        alone = llm.generate("the cat", max_new_tokens=12, temperature=3.0, seed=5).text
        for _ in range(6):  # of both replicas
            whole = client.post(COMPLETIONS, json=asked)
            stream = client.post(COMPLETIONS, json={**asked, "stream": True})
            assert whole.json()["choices"][0]["text"] == alone
            assert text_of(stream.text) == alone
            assert stream.text.endswith("data: [DONE]\n\n")
            assert len(whole.headers.get_list("x-request-id")) == 1


def test_errors_are_those_of_any_server(served: Front) -> None:
    with served.client() as client:
        wrong = client.post(COMPLETIONS, json={"prompt": "x", "temperature": -1})
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "temperature")
        assert client.post(COMPLETIONS, content=b"{").status_code == 400
        assert client.post(COMPLETIONS, content=b" " * 5_000_000).status_code == 413
        assert client.get("/v1/chats").status_code == 404
        assert client.get(COMPLETIONS).status_code == 405
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/").headers["content-type"].startswith("text/html")
        assert client.get("/v1/models").json()["data"][0]["id"] == "toy"


def test_counts_and_lines_are_of_all_replicas(served: Front) -> None:
    with served.client() as client:
        before = _generated(client.get("/metrics").text)
        for _ in range(4):
            client.post(COMPLETIONS, json={"prompt": "the cat", **LONG, "max_tokens": 5})
        assert _generated(client.get("/metrics").text) - before == 20
    line = next(line for line in reversed(served.lines) if COMPLETIONS in line)
    assert "completion_tokens=5 " in line
    assert "left=" not in line


def _generated(page: str) -> float:
    name = "foretell:request_generation_tokens_sum"
    return next(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))


def test_who_leaves_ends_the_work(served: Front) -> None:
    with served.client() as client:
        asked = {"prompt": "the", **LONG, "max_tokens": 250, "n": 8, "stream": True}
        with client.stream("POST", COMPLETIONS, json=asked) as answer:
            next(answer.iter_text())
        deadline = time.monotonic() + 20
        while not any("left=true" in line for line in served.lines):
            assert time.monotonic() < deadline, served.lines
            time.sleep(0.05)


async def _outcome(
    client: httpx.AsyncClient, number: int, begun: asyncio.Semaphore
) -> tuple[int, str]:
    """The status of an answer, and how it ended; a stream that begins is counted in `begun`."""
    asked = {"prompt": f"the {number}", **LONG, "max_tokens": 240, "n": 4}
    if number % 2:
        answer = await client.post(COMPLETIONS, json=asked)
        if answer.status_code != 200:
            assert answer.headers["retry-after"]
            return answer.status_code, answer.json()["error"]["type"]
        return 200, "whole"
    streamed = {**asked, "stream": True}
    async with client.stream("POST", COMPLETIONS, json=streamed) as stream:
        pieces = stream.aiter_text()
        text = await anext(pieces)
        begun.release()
        async for piece in pieces:
            text += piece
    if stream.status_code != 200:
        return stream.status_code, json.loads(text)["error"]["type"]
    if text.endswith("data: [DONE]\n\n"):
        return 200, "whole"
    return 200, json.loads(text.splitlines()[-2][6:])["error"]["type"]


def _outcomes(client: httpx.AsyncClient, count: int) -> tuple[Outcomes, asyncio.Semaphore]:
    """Many asked at once, half of them streams, and the count of the streams that have begun."""
    begun = asyncio.Semaphore(0)
    return [asyncio.create_task(_outcome(client, i, begun)) for i in range(count)], begun


def test_a_replica_that_is_killed_takes_its_own_requests_alone(served: Front) -> None:
    async def main() -> Counter[tuple[int, str]]:
        limits = httpx.Limits(max_connections=80)
        async with httpx.AsyncClient(
            base_url=served.url, timeout=300, trust_env=False, limits=limits
        ) as client:
            warm, _ = _outcomes(client, 20)
            assert {await one for one in warm} == {(200, "whole")}
            tasks, begun = _outcomes(client, 60)
            for _ in range(20):
                await begun.acquire()
            kill(actors(served.kind)[0])
            return Counter([await one for one in tasks])

    found = asyncio.run(main())
    failed = {(503, "service_unavailable_error"), (200, "service_unavailable_error")}
    assert set(found) <= {(200, "whole"), *failed}
    assert found[200, "whole"] >= 10
    assert sum(found[one] for one in failed) >= 1
    assert served.status("/health") == 200
    with served.client() as client:  # the other one goes on meanwhile
        assert client.post(COMPLETIONS, json={"prompt": "the", "max_tokens": 3}).status_code == 200
    deadline = time.monotonic() + 60
    while len(actors(served.kind)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_readiness_is_that_of_replicas(served: Front) -> None:
    # also those that Ray begins before it has noticed that the others are dead
    served.until_ready(503, lambda: [*map(kill, actors(served.kind))])
    assert served.status("/health") == 200
    served.until_ready(200)


def test_keys_are_checked_before_any_replica(address: str, toy_path: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(TOKEN)
    with front(address, toy_path, "--api-key-file", str(keys)) as found, found.client() as client:
        asked = {"prompt": "the", "max_tokens": 3}
        assert client.post(COMPLETIONS, json=asked).status_code == 401
        answer = client.post(COMPLETIONS, json=asked, headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200


def test_replicas_come_with_requests(address: str, toy_path: Path) -> None:
    sizing = ("--max-replicas", "2", "--target-requests", "2")
    with front(address, toy_path, *sizing) as found, found.client() as client:
        ending = threading.Event()

        def ask() -> None:
            while not ending.is_set():
                asked = {"prompt": "the", **LONG, "max_tokens": 240, "n": 8}
                assert client.post(COMPLETIONS, json=asked).status_code == 200

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 90
        while len(actors(found.kind)) < 2 and time.monotonic() < deadline:
            time.sleep(0.2)
        ending.set()
        for thread in threads:
            thread.join()
        assert len(actors(found.kind)) == 2


def test_a_front_that_was_killed_finds_its_replicas_again(address: str, toy_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with front(address, toy_path, "--port", port) as first:
        before = actors(first.kind)
        first.process.kill()
        first.process.wait()
    assert len(before) == 1
    assert actors(first.kind) == before
    with front(address, toy_path, "--port", port) as second, second.client() as client:
        assert client.post(COMPLETIONS, json={"prompt": "the", "max_tokens": 3}).status_code == 200
        assert actors(second.kind) == before
    until_gone(second.kind)


def test_numbers_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="max_replicas=1 must be at least replicas=2"):
        Sizing(replicas=2, max_replicas=1)


def test_too_few_cpus_are_told(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="3 replicas of 2 threads need more CPUs than the 4"):
        Deployed(cluster, "x", Opening("x"), ServerOptions(), Sizing(3, threads=2))


def test_a_model_that_cannot_be_opened_is_told(
    cluster: Cluster, toy_path: Path, tmp_path: Path
) -> None:
    opening = Opening(str(toy_path), meant={"sha256": "0" * 64})
    deployed = Deployed(cluster, "bad", opening, ServerOptions(), Sizing(threads=1))
    with pytest.raises(Exception, match=r"no replica could be begun: .*must be 000"):
        asyncio.run(deployed.open())
    deployed._delete()
