"""Pages of browsers: those of which origins may ask, and may read what is answered."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from foretell.errors import ConfigError
from foretell.server.asgi import Scope
from foretell.server.errors import ApiError
from foretell.server.heads import Header, value_of, values_of
from foretell.utils.quoting import quote

READABLE = (
    b"x-request-id, openai-processing-ms, retry-after, x-should-retry, "
    b"x-foretell-seed, x-foretell-ignored, x-foretell-warning"
)
METHODS = b"GET, HEAD, POST, OPTIONS"
MAX_AGE = b"600"

_ORIGIN = re.compile(
    r"\*|null|[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[a-f0-9:.]+\])?(:[0-9]{1,5})?/?", re.IGNORECASE
)
_USUAL_PORT = re.compile(r"^(http://.*:80|https://.*:443)/?$", re.IGNORECASE)
"""Browsers leave it out."""

_HEADER_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")


@dataclass(frozen=True)
class Page:
    """What is known of the page that a request comes from.

    Attributes:
        origin: the page's; None where no browser says one.
        is_allowed: whether it may ask at all.
        headers: with which its browser lets it read the answer.
    """

    origin: bytes | None
    is_allowed: bool
    headers: list[Header]


class Cors:
    """Says which pages may ask.

    Args:
        origins: as `https://example.com`; "*" is any. Pages of this server's own may always.

    Raises:
        ConfigError: no page can have one of these origins.
    """

    def __init__(self, origins: Collection[str]) -> None:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin) or _USUAL_PORT.search(origin):
                raise ConfigError(
                    f"cors_origins has {quote(origin)}: must be an origin as https://example.com "
                    "or http://localhost:3000, without a path and without a port that is usual"
                )
        self._origins = frozenset(origin.rstrip("/").lower().encode() for origin in origins)
        self._vary: list[Header] = [(b"vary", b"Origin")] if origins else []

    def page_of(self, scope: Scope) -> Page:
        """The page that a request comes from."""
        given = values_of(scope, b"origin")
        if not given:
            return Page(None, True, self._vary)
        origin = b", ".join(given)  # no browser sends two: they are nobody's
        if b"*" in self._origins or origin.lower() in self._origins:
            shared = b"*" if b"*" in self._origins else origin
            headers = [
                (b"access-control-allow-origin", shared),
                (b"access-control-expose-headers", READABLE),
            ]
            return Page(origin, True, headers + self._vary)
        return Page(origin, _is_same(origin, value_of(scope, b"host")), self._vary)


def is_preflight(scope: Scope) -> bool:
    """Whether a browser asks whether it may ask."""
    asks = value_of(scope, b"access-control-request-method") is not None
    return asks and scope["method"] == "OPTIONS" and value_of(scope, b"origin") is not None


def preflight_headers(scope: Scope) -> list[Header]:
    """What a page may send, told beside the headers of the page itself."""
    told: list[Header] = [
        (b"access-control-allow-methods", METHODS),
        (b"access-control-max-age", MAX_AGE),
    ]
    names = value_of(scope, b"access-control-request-headers")
    if names is not None and _HEADER_NAMES.fullmatch(names):
        told.append((b"access-control-allow-headers", names))
    if value_of(scope, b"access-control-request-private-network") == b"true":
        told.append((b"access-control-allow-private-network", b"true"))
    return told


def refusal(page: Page) -> ApiError:
    """For a page that may not ask."""
    told = quote((page.origin or b"").decode("latin-1"))
    return ApiError(403, f"pages of {told} may not ask: --cors-origin allows an origin")


def _is_same(origin: bytes, host: bytes | None) -> bool:
    """Whether a page is this server's own, by the name that it was asked by."""
    scheme, _, rest = origin.lower().partition(b"://")
    return scheme in (b"http", b"https") and host is not None and rest == host.lower()
