"""What whoever starts a server may say of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ServerOptions:
    """How a server behaves; none of it changes what is generated, but `defaults`.

    Attributes:
        model_names: the names that requests may call the model by, the first of which answers
            bear; none: that under which it was loaded.
        api_keys: keys of which a request must bring one; none: everybody may ask.
        allowed_hosts: names in a request's `Host` header that are this server's; None: any.
        cors_origins: origins whose pages may ask, as `https://example.com`; "*" is any.
        strict: refuse unknown fields of a request, and not only name them in a header.
        defaults: settings of requests that do not say how tokens are chosen; none: those of
            OpenAI, which draw at temperature 1.
        max_new_tokens: most tokens of a chat's answer where its request states no length; None: as
            many as the context has room for.
        max_body_bytes: most bytes of a request's body.
        body_timeout: seconds in which a body must have come.
        ping_interval: seconds of silence in a stream after which a comment shows that it lives.
        write_interval: seconds between two writes to one stream: events that come sooner are sent
            together. 0 sends each by itself.
        send_timeout: seconds that a reader may take nothing, until it counts as gone.
        drain_delay: seconds of serving on after the first signal to end, while `/ready` says no.
        shutdown_timeout: seconds that running requests then have to end.
        log_format: "text" or "json": the form of the line that is logged of each request.
        log_prompts: whether that line has the prompt.
    """

    model_names: tuple[str, ...] = ()
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    allowed_hosts: tuple[str, ...] | None = None
    cors_origins: tuple[str, ...] = ()
    strict: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    max_new_tokens: int | None = None
    max_body_bytes: int = 4 * 2**20
    body_timeout: float = 60.0
    ping_interval: float = 5.0
    write_interval: float = 0.01
    send_timeout: float = 120.0
    drain_delay: float = 0.0
    shutdown_timeout: float = 30.0
    log_format: str = "text"
    log_prompts: bool = False


def called(model: str) -> str:
    """What a model is called: a file's or folder's name, or the name that it is known by."""
    path = os.path.abspath(model)
    return os.path.basename(path).removesuffix(".gguf") if os.path.exists(path) else model
