"""The route that Prometheus asks."""

from __future__ import annotations

from foretell.server.asgi import Receive, Scope, Send
from foretell.server.heads import send_whole, value_of
from foretell.server.state import ServerState


class MetricsPage:
    """An application of ASGI that tells the metrics of a server."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        accept = (value_of(scope, b"accept") or b"").decode("latin-1")
        body, kind = await page_of(self._state, accept)
        await send_whole(send, 200, kind, body)


async def page_of(state: ServerState, accept: str) -> tuple[bytes, str]:
    """The metrics in the form that is accepted, and the type of that form."""
    from foretell.server.exposition import expose  # imports much, and may never be asked for

    await state.metrics.ask(state.llm)
    return expose(state.metrics, state.model_names[0], accept)
