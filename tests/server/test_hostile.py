"""Hostile requests: each gets an answer in OpenAI's form, and nothing is left of any.

FORETELL_HOSTILE=10000 sends more of them.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import pytest
from support.asgi import begin
from support.toy_async import run
from support.toy_server import serving

from benchmarks.stress.hostile_requests import Hostile, hostile_requests
from foretell.server.options import ServerOptions

COUNT = int(os.environ.get("FORETELL_HOSTILE", "1000"))
AT_ONCE = 16
OPTIONS = ServerOptions(
    model_names=("toy",), allowed_hosts=("localhost",), max_body_bytes=2**18, body_timeout=5
)


async def check(app, request: Hostile) -> None:
    """Send a request, and look at what comes back."""
    one = begin(app, request.path, request.body, method=request.method, headers=request.headers)
    if request.leaves:
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(one.task), 0.002)
        await one.gone()
        return
    answer = await one.ended()
    assert answer.has_ended, request
    assert answer.status in (200, 400, 403, 404, 405, 413, 421), (answer.status, request)
    assert b"Traceback" not in answer.body
    if answer.status != 200:
        assert request.method == "HEAD" or answer.error["message"], request
        assert len(answer.body) < 5000


@pytest.mark.parametrize("seed", range(4))
def test_each_is_answered_and_nothing_is_left(seed):
    async def main() -> None:
        async with serving(options=OPTIONS) as toy:
            turns = asyncio.Semaphore(AT_ONCE)

            async def send(request: Hostile) -> None:
                async with turns:
                    try:
                        await check(toy.app, request)
                    except (Exception, asyncio.CancelledError) as error:
                        raise AssertionError(f"{request!r}"[:2000]) from error

            await asyncio.gather(*map(send, hostile_requests(COUNT // 4, seed)))

    run(main)
