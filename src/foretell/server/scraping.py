"""The route that Prometheus asks."""

from __future__ import annotations

from foretell.server.asgi import Receive, Scope, Send
from foretell.server.heads import as_headers, value_of
from foretell.server.state import ServerState


class MetricsPage:
    """An application of ASGI that tells the metrics of a server."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        state, accept = self._state, value_of(scope, b"accept") or b""
        body, kind = await state.metrics.page(
            state.llm, state.model_names[0], accept.decode("latin-1")
        )
        told = {"content-type": kind, "content-length": str(len(body))}
        headers = as_headers(told.items())
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
