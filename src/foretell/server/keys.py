"""Keys: who may ask."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from hashlib import sha256

from foretell.server.asgi import Scope
from foretell.server.errors import ApiError
from foretell.server.heads import values_of

KEY_HEADERS = (b"api-key", b"x-api-key")
"""Where some clients put a key, beside `Authorization: Bearer`."""


class KeyCheck:
    """Refuses requests that bring none of the keys.

    Args:
        keys: any of them will do; none: everybody may ask.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    def check(self, scope: Scope) -> None:
        """Raise ApiError unless the request brings a key."""
        if not self._digests:
            return
        given = [_digest(key) for key in _keys_of(scope)]
        if not given:
            raise _refusal("there is no API key: must be sent as `Authorization: Bearer KEY`")
        if not self._has_any(given):
            raise _refusal("the API key is none of this server's")

    def _has_any(self, given: Iterable[bytes]) -> bool:
        """Compare all with all, so that the time taken tells nothing."""
        matches = [hmac.compare_digest(one, key) for one in given for key in self._digests]
        return any(matches)


def _digest(key: bytes) -> bytes:
    """Of equal length whatever the key's."""
    return sha256(key).digest()


def _keys_of(scope: Scope) -> Iterator[bytes]:
    for value in values_of(scope, b"authorization"):
        scheme, _, key = value.partition(b" ")
        if scheme.lower() == b"bearer":
            yield key.strip()
    for name in KEY_HEADERS:
        yield from values_of(scope, name)


def _refusal(message: str) -> ApiError:
    headers = {"www-authenticate": "Bearer"}
    return ApiError(401, message, code="invalid_api_key", headers=headers)
