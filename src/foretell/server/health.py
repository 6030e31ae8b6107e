"""`/health` and `/ready`: whether a server lives, and whether more requests should come."""

from __future__ import annotations

from foretell.server.asgi import Receive, Scope, Send
from foretell.server.errors import RETRY_SECONDS
from foretell.server.frames import dumps
from foretell.server.heads import JSON, send_whole
from foretell.server.state import ServerState


class Health:
    """Says whether the server answers requests: 503 while it loads, has ended or has failed.

    Args:
        state: the server's.
    """

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        status, word = (200, "ok") if self.is_well else (503, self.word)
        body = dumps({"status": word})
        more = {} if status == 200 else {"retry-after": str(RETRY_SECONDS)}
        await send_whole(send, status, JSON, body, more)

    @property
    def is_well(self) -> bool:
        """Whether requests are answered."""
        return self._state.lifecycle.phase == "ready" and self._state.llm.failure is None

    @property
    def word(self) -> str:
        """What is the matter, where it is not well."""
        lifecycle = self._state.lifecycle
        if self._state.llm.failure is not None:
            return "failed"
        return "draining" if lifecycle.phase == "ready" else lifecycle.phase


class Readiness(Health):
    """Says whether more requests should be sent here: 503 also from the first signal to end on."""

    @property
    def is_well(self) -> bool:
        """Whether more requests should come."""
        return super().is_well and not self._state.lifecycle.is_leaving
