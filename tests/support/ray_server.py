"""A server whose toy is a replica on Ray, as a process: `python -m support.ray_server` in `tests/`.

It reads a pickled `ToyServer` from stdin and writes its URL as one line. Beside a server's own
paths, `/engine` has the metrics of the replica, engine and all. It ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import sys
from typing import Any, cast

from foretell.async_llm import AsyncLLM
from foretell.scale.ray.cluster import Cluster, connected
from foretell.scale.ray.deployed import Deployed, Sizing
from foretell.scale.ray.gate import gate
from foretell.server.asgi import App, Receive, Scope, Send
from foretell.server.lifecycle import Lifecycle
from foretell.server.state import ServerState
from foretell.server.uvicorn_server import make_server
from support.ray_openings import ToyServer, let_workers_find_the_tests

PROBE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/metrics",
    "raw_path": b"/metrics",
    "query_string": b"",
    "headers": [(b"x-request-id", b"probe")],
}


def main() -> None:
    """Serve until stdin ends."""
    let_workers_find_the_tests()
    asked: ToyServer = pickle.load(sys.stdin.buffer)
    with connected("local") as cluster:
        asyncio.run(_serve(cluster, asked))


async def _serve(cluster: Cluster, asked: ToyServer) -> None:
    sizing = Sizing(replicas=1, threads=1)
    name = f"toy-{os.getpid()}"
    deployed = Deployed(cluster, name, asked.opening, asked.options, sizing)
    if not asked.loads:
        await deployed.open()
    state = ServerState(cast(AsyncLLM, deployed), asked.options, Lifecycle())
    listener = socket.create_server(("127.0.0.1", 0))
    server = make_server(_with_engine(gate(state, deployed), deployed), 60.0)
    serving = asyncio.create_task(server.serve([listener]))
    await server.is_listening.wait()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    server.end()
    await serving
    await deployed.close()


def _with_engine(front: App, deployed: Deployed) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != "/engine":
            await front(scope, receive, send)
            return
        async for messages in deployed.answer(dict(PROBE), b""):
            for message in messages:
                if message["type"].startswith("http."):
                    await send(message)

    return app


if __name__ == "__main__":
    main()
