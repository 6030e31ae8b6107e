"""What answers a job's rows: a server's state, without a server."""

from __future__ import annotations

from foretell.async_llm import AsyncLLM
from foretell.scale.manifest import Manifest
from foretell.server.lifecycle import Lifecycle
from foretell.server.options import ServerOptions
from foretell.server.state import ServerState


def state_of(llm: AsyncLLM, manifest: Manifest) -> ServerState:
    """The state in which an open model answers a job's rows."""
    plain = ServerState(llm, ServerOptions(strict=True), Lifecycle())
    if not manifest.model_names:
        return plain
    names = (*manifest.model_names, *plain.model_names)
    return ServerState(llm, ServerOptions(strict=True, model_names=names), Lifecycle())
