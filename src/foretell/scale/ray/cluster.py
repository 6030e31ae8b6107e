"""A Ray cluster: one that is there already, or a new one on this machine for as long as needed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from foretell.errors import ConfigError
from foretell.utils.extras import how_to_install
from foretell.utils.quoting import one_line, quote

OBJECT_STORE_BYTES = 200 * 2**20
"""Of a cluster that is begun here: answers pass through it, a few parts at a time."""

REACH_SECONDS = 5.0
ANY, NEW, RUNNING = "", "local", "auto"
"""Addresses: one that runs or else a new one; a new one on this machine; one that runs."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to.

    Attributes:
        ray: the module.
        is_ours: whether it was begun here, on this machine, and ends with the block.
    """

    ray: Any
    is_ours: bool

    def cpus(self) -> list[int]:
        """Of each machine that is alive, the CPUs that it offers."""
        nodes = [node for node in self.ray.nodes() if node["Alive"]]
        return [int(node["Resources"].get("CPU", 0)) for node in nodes]

    def free_cpus(self) -> int:
        """CPUs that nobody has reserved."""
        return int(self.ray.available_resources().get("CPU", 0))


def import_ray() -> Any:
    """The module; ConfigError if it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    try:
        import ray
    except ImportError:
        raise ConfigError(f"--ray needs Ray: run {how_to_install('ray')}") from None
    return ray


@contextmanager
def connected(address: str = ANY) -> Iterator[Cluster]:
    """A block in which this process is connected to a cluster.

    Args:
        address: "host:port" of a cluster, or one of the words above.

    Raises:
        ConfigError: Ray is not installed, or nothing answers there.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield Cluster(ray, is_ours=False)
        return
    is_ours = _connect(ray, address)
    try:
        yield Cluster(ray, is_ours)
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> bool:
    """Connect, and tell whether the cluster was begun for it."""
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    if address not in (ANY, NEW):
        _join(ray, address, quiet)
        return False
    if address == ANY and _joins_any(ray, quiet):
        return False
    try:
        ray.init(
            address=NEW,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            **quiet,
        )
    except Exception as error:
        raise ConfigError(f"no Ray could be started here: {one_line(error)}") from error
    return True


def _joins_any(ray: Any, quiet: dict[str, Any]) -> bool:
    """Whether there was a cluster to join: $RAY_ADDRESS's, or one on this machine."""
    if stated := os.environ.get("RAY_ADDRESS"):
        _join(ray, stated, quiet)
        return True
    try:
        ray.init(address=RUNNING, **quiet)
    except ConnectionError:
        return False
    return True


def _join(ray: Any, address: str, quiet: dict[str, Any]) -> None:
    if address != RUNNING:
        _check_reached(address)
    try:
        ray.init(address=address, **quiet)
    except Exception as error:
        raise ConfigError(
            f"no Ray cluster answers at {quote(address)}: {one_line(error)}"
        ) from error


def _check_reached(address: str) -> None:
    """ConfigError if nothing listens there: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal() and int(port) < 2**16):
        raise ConfigError(
            f"ray={quote(address)} must be host:port, as in 10.0.0.1:6379, or {RUNNING!r}, "
            f"or {NEW!r}"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"no Ray cluster answers at {quote(address)}: {reason}") from None


def threads_each(cpus: list[int], workers: int) -> int:
    """The most CPUs that so many workers can have each, with each of them on one machine."""
    most = max(cpus, default=1)
    fitting = (n for n in range(most, 1, -1) if sum(one // n for one in cpus) >= workers)
    return next(fitting, 1)
