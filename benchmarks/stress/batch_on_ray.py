"""A Ray cluster of this machine for trials, and its processes that answer rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NUM_CPUS = 4
STORE_BYTES = 200 * 2**20


@contextmanager
def cluster_here() -> Iterator[str]:
    """The address of a cluster that ends with the block."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(
        address="local",
        num_cpus=NUM_CPUS,
        include_dashboard=False,
        object_store_memory=STORE_BYTES,
        logging_level="ERROR",
        log_to_driver=False,
    )
    try:
        yield ray.get_runtime_context().gcs_address
    finally:
        ray.shutdown()


def ray_workers() -> list[int]:
    """The processes of workers, which are grandchildren of this one."""
    return [
        pid
        for child in _children(os.getpid())
        for pid in _children(child)
        if _name(pid).startswith("ray::Worker")
    ]


def _children(pid: int) -> list[int]:
    """Processes that any thread of one has started."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in path.read_text().split()]
        except OSError:  # it has ended meanwhile
            continue
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
