"""Where a server listens: sockets, from a host and a port or the path of a Unix socket."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

BACKLOG = 2048

Address = tuple[socket.AddressFamily, Any]

_REASONS = {
    errno.EADDRINUSE: "another program listens there: --port 0 takes a free port",
    errno.EADDRNOTAVAIL: "this machine has no such address: --host 127.0.0.1 is its own",
    errno.EACCES: "this user may not listen there: ports below 1024 need more rights",
}

_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@dataclass(frozen=True)
class Listeners:
    """Sockets that listen.

    Attributes:
        sockets: one for each address.
        path: of the Unix socket, if it is one.
    """

    sockets: tuple[socket.socket, ...]
    path: str | None = None

    @property
    def url(self) -> str:
        """Where a program on this machine finds the server; of a Unix socket, a host as good."""
        if self.path is not None:
            return "http://localhost"
        host, port = self.sockets[0].getsockname()[:2]
        if ip_address(host.partition("%")[0]).is_unspecified:
            host = "::1" if ":" in host else "127.0.0.1"
        return f"http://{_bracketed(host)}:{port}"

    @property
    def places(self) -> list[str]:
        """All addresses, as they are shown."""
        if self.path is not None:
            return [self.path]
        names = (one.getsockname()[:2] for one in self.sockets)
        return [f"http://{_bracketed(host)}:{port}" for host, port in names]

    def close(self) -> None:
        """Listen no more."""
        for one in self.sockets:
            one.close()
        if self.path is not None:
            with suppress(OSError):
                os.unlink(self.path)


def addresses_of(host: str, port: int) -> list[Address]:
    """The addresses that a host's name stands for; OSError if there are none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        message = "no address has this name: --host 127.0.0.1 is this machine's own"
        raise OSError(errno.EADDRNOTAVAIL, message, host) from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def is_loopback(address: Address) -> bool:
    """Whether only programs on this machine can reach an address."""
    return ip_address(address[1][0].partition("%")[0]).is_loopback


def listen(addresses: list[Address]) -> Listeners:
    """Listen at all of these addresses that this machine has; OSError where that is not possible.

    If the port is to be any free one, it is the same for all.
    """
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    for family, (host, port, *rest) in addresses:
        free_port = sockets[0].getsockname()[1] if sockets and port == 0 else port
        try:
            sockets.append(_listener(family, (host, free_port, *rest)))
        except OSError as error:
            told = _explained(error, f"{_bracketed(host)}:{port}")
            if error.errno not in _ABSENT:
                Listeners(tuple(sockets)).close()
                raise told from None
            absent = told  # as of "localhost" on a machine without IPv6
    if absent is not None and not sockets:
        raise absent
    return Listeners(tuple(sockets))


def listen_at(path: str) -> Listeners:
    """Listen at the path of a Unix socket, in place of one that nobody listens at any more."""
    with suppress(OSError):
        if stat.S_ISSOCK(os.stat(path).st_mode) and not _is_heard(path):
            os.unlink(path)
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        one.bind(path)
        one.listen(BACKLOG)
    except OSError as error:
        one.close()
        raise OSError(error.errno, error.strerror or str(error), path) from None
    return Listeners((one,), path)


def _is_heard(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        return caller.connect_ex(path) == 0


def _listener(family: socket.AddressFamily, address: Any) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(BACKLOG)
    except BaseException:
        one.close()
        raise
    return one


def _explained(error: OSError, place: str) -> OSError:
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return OSError(error.errno, reason, place)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
