"""A toy server whose model is a replica on Ray, with the face of `support.served`.

It is a process of the Python that has Ray: who asks it may be of another environment.
"""

from __future__ import annotations

import os
import pickle
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from foretell.backends.base import Backend
from foretell.server.options import ServerOptions
from support.clients import RAY_PYTHON
from support.ray_openings import TESTS, ToyOpening, ToyServer
from support.served import OPTIONS, PATIENCE, Served
from support.toy_async import scripted


@dataclass(frozen=True)
class Stats:
    """What the engine has to do and has done, as a replica's page of metrics tells."""

    running: int
    waiting: int
    generated_tokens: int
    free_blocks: float
    num_blocks: float = 1.0


class ServedOnRay(Served):
    """A server that runs, with one replica."""

    def stats(self) -> Any:
        address = f"{self.url.removesuffix('/v1')}/engine"
        page = httpx.get(address, trust_env=False, timeout=PATIENCE).text
        found = dict(re.findall(r"^foretell:(\w+){[^}]*} (\S+)$", page, re.MULTILINE))
        return Stats(
            int(float(found["num_requests_running"])),
            int(float(found["num_requests_waiting"])),
            int(float(found["generation_tokens_total"])),
            1 - float(found["kv_cache_usage_perc"]),
        )


@contextmanager
def served_on_ray(
    make: Callable[[], Backend] = scripted,
    options: ServerOptions = OPTIONS,
    *,
    loads: bool = False,
    **arguments: Any,
) -> Iterator[ServedOnRay]:
    """As `served`, of what can be pickled."""
    asked = ToyServer(ToyOpening("toy", arguments, make=make), options, loads)
    process = subprocess.Popen(
        [RAY_PYTHON, "-W", "ignore", "-m", "support.ray_server"],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(pickle.dumps(asked))
            process.stdin.flush()
            url = process.stdout.readline().decode().strip()
            assert url, "the server has not started"
            server = ServedOnRay(f"{url}/v1")
            yield server
            server.check_idle()
            process.stdin.close()
            assert process.wait(PATIENCE) == 0, "the server has not ended in order"
        finally:
            process.kill()
