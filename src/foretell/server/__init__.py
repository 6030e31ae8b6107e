"""An OpenAI-compatible HTTP server.

HTTP → requests of an AsyncLLM → answers, whole or as a stream of events

Beside a token's way: asks at step 1 by way of `worker/`, and sends what comes of step 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretell.server.app import create_app
    from foretell.server.options import ServerOptions

__all__ = ["ServerOptions", "create_app"]

_HOMES = {"ServerOptions": "options", "create_app": "app"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `foretell serve` needs the application last."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'foretell.server' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"foretell.server.{home}"), name)
