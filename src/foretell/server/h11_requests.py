"""What h11 leaves to others: a request's target may name the host."""

from __future__ import annotations

from typing import Any

import h11

from foretell.server.heads import with_own_host


class OwnHosts(h11.Connection):
    """Parses requests, and takes the host out of their target."""

    def next_event(self) -> Any:
        """The next event; RemoteProtocolError if it is no valid request."""
        event = super().next_event()
        if not isinstance(event, h11.Request):
            return event
        target, headers = with_own_host(event.target, list(event.headers))
        return h11.Request(
            method=event.method, target=target, headers=headers, http_version=event.http_version
        )
