"""Which names in a request's `Host` header are this server's.

A page of another site can have its own name lead to this machine (DNS rebinding), and is then of
the same origin for its browser: only the name that it asks by gives it away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from foretell.errors import ConfigError
from foretell.server.asgi import Scope
from foretell.server.errors import ApiError
from foretell.server.heads import values_of
from foretell.utils.quoting import quote

_HOST = re.compile(r"(?P<name>[a-z0-9._~%!$&'()*+,;=-]+|\[[a-f0-9:.%]+\])(?::[0-9]{1,5})?")


class HostCheck:
    """Refuses requests by names that are not this server's.

    Args:
        allowed: names, with or without a port, which is not compared; `*.example.com` is whatever
            ends so, "*" is any; None: any.

    Raises:
        ConfigError: no request can have one of these names.
    """

    def __init__(self, allowed: Iterable[str] | None) -> None:
        given = ("*",) if allowed is None else tuple(allowed)
        for name in given:
            _check_name(name)
        names = {_plain(name) for name in given}
        self._is_off = "*" in names
        self._names = frozenset(names)
        self._endings = tuple(name[1:] for name in names if name.startswith("*."))

    def check(self, scope: Scope) -> None:
        """Raise ApiError unless the request has one `Host` header, of a name that is allowed."""
        if self._is_off:
            return
        hosts = values_of(scope, b"host")
        if len(hosts) != 1:
            raise ApiError(400, f"there are {len(hosts)} Host headers: there must be one")
        name = _plain(hosts[0].decode("latin-1"))
        if name not in self._names and not name.endswith(self._endings or ("\0",)):
            message = f"this server is not called {quote(name)}: --allowed-host lets it be"
            raise ApiError(421, message)


def _check_name(name: str) -> None:
    is_host = _HOST.fullmatch(name.lower()) and "*" not in name.removeprefix("*.")
    if name != "*" and not is_host:
        message = "must be a name as example.com, *.example.com or *, without http://"
        raise ConfigError(f"allowed_hosts has {quote(name)}: {message}")


def _plain(host: str) -> str:
    """A host without its port, as it is compared; the whole where it is no host."""
    found = _HOST.fullmatch(host.strip(" \t").lower())
    return found["name"].removesuffix(".") if found else host
