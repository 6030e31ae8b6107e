"""What whoever starts a server may say of it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from foretell.errors import ConfigError
from foretell.utils.quoting import quote

LOG_FORMATS = ("text", "json")
MAX_KEY_CHARACTERS = 512


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
            together. Where more than 8 requests run it is longer, in proportion, up to 0.1. 0 sends
            each by itself.
        send_timeout: seconds that a reader may take nothing, until it counts as gone.
        drain_delay: seconds of serving on after the first signal to end, while `/ready` says no.
        shutdown_timeout: seconds that running requests then have to end.
        log_format: "text" or "json": the form of the line that is logged of each request.
        log_prompts: whether that line has the prompt.
        log_probes: whether there is a line of each request that asks how the server is, and not
            only of those that failed.
        playground: whether `/` answers with the playground.

    Raises:
        ConfigError: one of them is not what it must be.
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
    write_interval: float = 0.02
    send_timeout: float = 120.0
    drain_delay: float = 0.0
    shutdown_timeout: float = 30.0
    log_format: str = "text"
    log_prompts: bool = False
    log_probes: bool = False
    playground: bool = True

    def __post_init__(self) -> None:
        for name in ("model_names", "api_keys", "cors_origins"):
            _check_texts(name, getattr(self, name))
        if self.allowed_hosts is not None:
            _check_texts("allowed_hosts", self.allowed_hosts)
        for key in self.api_keys:
            check_key(key, "api_keys")
        for name in ("strict", "log_prompts", "log_probes", "playground"):
            _check(name, getattr(self, name), lambda value: isinstance(value, bool), "a boolean")
        for name in ("body_timeout", "ping_interval", "send_timeout"):
            _check(name, getattr(self, name), _is_time, "a number of seconds above 0")
        for name in ("write_interval", "drain_delay", "shutdown_timeout"):
            value = getattr(self, name)
            _check(name, value, lambda value: value == 0 or _is_time(value), "seconds, or 0")
        _check("max_body_bytes", self.max_body_bytes, _is_size, "an integer above 0")
        formats = "one of " + ", ".join(LOG_FORMATS)
        _check("log_format", self.log_format, lambda value: value in LOG_FORMATS, formats)
        _check_settings(self.defaults)


def check_key(key: str, source: str) -> str:
    """The key, if it can be one: ConfigError, which does not show it, names where it is from."""
    if not (key.isascii() and key.isprintable() and " " not in key and key):
        raise ConfigError(f"{source} has a key that is not a word of visible ASCII characters")
    if len(key) > MAX_KEY_CHARACTERS:
        raise ConfigError(f"{source} has a key of more than {MAX_KEY_CHARACTERS} characters")
    return key


def called(model: str) -> str:
    """What a model is called: a file's or folder's name, or the name that it is known by."""
    path = os.path.abspath(model)
    return os.path.basename(path).removesuffix(".gguf") if os.path.exists(path) else model


def _check(name: str, value: Any, is_right: Callable[[Any], bool], wanted: str) -> None:
    if not is_right(value):
        raise ConfigError(f"{name}={quote(value)} must be {wanted}")


def _check_texts(name: str, value: Any) -> None:
    """No value is shown: it may be a key."""
    if not isinstance(value, (tuple, list)) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{name} must be a tuple of strings, as in {name}=('...',)")
    if not all(value):
        raise ConfigError(f"{name} has an empty string")


def _check_settings(defaults: Any) -> None:
    _check("defaults", defaults, lambda value: isinstance(value, Mapping), "a mapping of settings")
    if defaults:
        from foretell.config import GenerationConfig

        GenerationConfig().override(**defaults)


def _is_time(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 < value < math.inf


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
