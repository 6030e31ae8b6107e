"""Where a server listens, and by which names it may be called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.serving.values import check_words
from foretell.errors import ConfigError

if TYPE_CHECKING:
    from foretell.server.listening import Address, Listeners

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = ("localhost", LOOPBACK, "[::1]")


@dataclass(frozen=True)
class Place:
    """What the options say of it."""

    host: str
    port: int
    uds: str | None = None
    insecure: bool = False
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()

    def check(self, *, has_keys: bool) -> tuple[str, ...] | None:
        """The names that the server may be called by; None: any.

        Raises:
            click.UsageError: others could reach it, and would need no key; or a name or an origin
                is none.
        """
        self._check_callers()
        is_private = self.uds is not None or self._is_loopback()
        if not (is_private or has_keys or self.insecure):
            raise click.UsageError(
                f"others can reach {self.host}: give --api-key-file or $FORETELL_API_KEY, "
                "or --insecure to let everybody ask",
                click.get_current_context(),
            )
        if self.uds is not None or not (self.allowed_hosts or is_private):
            return self.allowed_hosts or None
        host = f"[{self.host}]" if ":" in self.host else self.host
        return tuple(dict.fromkeys((*LOOPBACK_NAMES, host, *self.allowed_hosts)))

    def _check_callers(self) -> None:
        from foretell.server.cors import Cors
        from foretell.server.hosts import HostCheck

        try:
            HostCheck(self.allowed_hosts)
            Cors(self.cors_origins)
        except ConfigError as error:
            raise click.UsageError(str(error), click.get_current_context()) from None

    def listen(self) -> Listeners:
        """Listen there; OSError where that is not possible."""
        from foretell.server.listening import listen, listen_at

        return listen(self._addresses) if self.uds is None else listen_at(self.uds)

    @functools.cached_property
    def _addresses(self) -> list[Address]:
        from foretell.server.listening import addresses_of

        return addresses_of(self.host, self.port)

    def _is_loopback(self) -> bool:
        from foretell.server.listening import is_loopback

        return all(map(is_loopback, self._addresses))


def _gather(command: Any) -> Any:
    """Let a command take these options as one `Place`."""

    @functools.wraps(command)
    def call(**others: Any) -> Any:
        return command(
            place=Place(**{one.name: others.pop(one.name) for one in fields(Place)}), **others
        )

    return call


def port_option(default: int) -> Callable[[Any], Any]:
    """The option of the port."""
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        metavar="INTEGER",
        default=default,
        show_default=True,
        help="Port to listen at; 0 takes a free one.",
    )


PLACE_OPTIONS = (
    click.option(
        "--host",
        default=LOOPBACK,
        show_default=True,
        callback=check_words,
        metavar="NAME",
        help="Address to listen at; 0.0.0.0 is all of this machine's, and needs a key.",
    ),
    port_option(default=8000),
    click.option(
        "--uds",
        type=click.Path(dir_okay=False),
        help="Listen at a Unix socket of this path instead.",
    ),
    click.option(
        "--insecure",
        is_flag=True,
        help="Let everybody who reaches the address ask, without a key; without --allowed-host "
        "also any page of the web that a browser within reach shows.",
    ),
    click.option(
        "--allowed-host",
        "allowed_hosts",
        multiple=True,
        metavar="NAME",
        help="A name that clients may call the server by, beside localhost; * is any.  "
        "[repeatable; default: any, or on a loopback address none]",
    ),
    click.option(
        "--cors-origin",
        "cors_origins",
        multiple=True,
        metavar="ORIGIN",
        help="A site whose pages may ask, as https://example.com; * is any.  [repeatable]",
    ),
    _gather,
)
"""A command is given them as one `Place`, named `place`."""
