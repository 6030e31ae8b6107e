"""A server's life: loading, ready, draining, closed."""

from __future__ import annotations

from typing import Literal

Phase = Literal["loading", "ready", "draining", "closed"]


class Lifecycle:
    """In which phase of its life a server is.

    Attributes:
        phase: "loading" until the model is there, "draining" from the end of `drain_delay` on.
        is_leaving: whether it has been told to end, and `/ready` says no.
    """

    def __init__(self) -> None:
        self.phase: Phase = "loading"
        self.is_leaving = False
