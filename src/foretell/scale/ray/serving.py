"""`foretell serve --ray`: a front on this machine, and replicas of the model wherever Ray has room.

listen → deploy → answer 503 → ready → a signal → drain → delete → end
"""

from __future__ import annotations

import re
import socket
from typing import Any, cast

from foretell.async_llm import AsyncLLM
from foretell.scale.identity import identity_of_name
from foretell.scale.ray.cluster import connected
from foretell.scale.ray.deployed import Deployed, Sizing
from foretell.scale.ray.gate import gate
from foretell.scale.ray.model import Opening
from foretell.server.asgi import App
from foretell.server.listening import Listeners
from foretell.server.options import ServerOptions
from foretell.server.serving import serve
from foretell.server.state import ServerState


def serve_on_ray(
    address: str,
    name: str,
    settings: dict[str, Any],
    options: ServerOptions,
    listeners: Listeners,
    sizing: Sizing,
) -> None:
    """Serve a model by replicas on a cluster, until a signal comes.

    Args:
        address: of the cluster, as for `connected`.
        name: the model's.
        settings: how it is opened.
        options: how it is served.
        listeners: where; they are closed at the end.
        sizing: how many replicas.

    Raises:
        ConfigError: there is no such cluster, or it has too few CPUs.
        ForetellError: the model cannot be served.
    """
    opening = Opening(name, settings, identity_of_name(name, settings))
    with connected(address) as cluster:
        app = application_name(options.model_names[0], listeners)
        deployed = Deployed(cluster, app, opening, options, sizing)

        def build(state: ServerState) -> App:
            return gate(state, deployed)

        serve(cast(AsyncLLM, deployed), options, listeners, build=build)


def application_name(model: str, listeners: Listeners) -> str:
    """What the replicas are called among all that a cluster serves: the same at the next start.

    So a front that was killed finds them again.
    """
    place = listeners.path or str(listeners.sockets[0].getsockname()[1])
    return re.sub(r"[^\w.-]+", "-", f"foretell-{model}-{socket.gethostname()}-{place}")
