"""What machine this is: how many threads to compute with (row 4 of the design)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from foretell.errors import ConfigError

MAX_THREADS = 1024


def choose_threads(wanted: int | None) -> int:
    """Threads to compute with: as told, else FORETELL_THREADS, else one a physical core.

    Only processors that this process may use are counted, and no more than a container's
    processor quota.
    """
    if wanted is not None:
        return _checked_threads(wanted, f"threads={wanted!r}")
    text = os.environ.get("FORETELL_THREADS")
    if text:
        value = int(text) if text.isdecimal() and len(text) <= len(str(MAX_THREADS)) else text
        return _checked_threads(value, f"FORETELL_THREADS={text[:20]}")
    cores = physical_cores(_usable_processors())
    quota = _processor_quota()
    return max(1, min(cores, quota) if quota else cores)


def _checked_threads(value: object, shown: str) -> int:
    if type(value) is not int or not 1 <= value <= MAX_THREADS:
        raise ConfigError(f"{shown} must be an integer from 1 to {MAX_THREADS}")
    return value


def _usable_processors() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def physical_cores(
    processors: Iterable[int], topology: Path = Path("/sys/devices/system/cpu")
) -> int:
    """Distinct cores among these logical processors; each its own core where Linux does not say."""
    cores = set()
    for processor in processors:
        try:
            siblings = topology / f"cpu{processor}" / "topology" / "thread_siblings_list"
            cores.add(siblings.read_text().strip())
        except OSError:
            cores.add(str(processor))
    return len(cores)


def _processor_quota(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """Whole processors that a Linux container may use; None if it is not limited."""
    try:
        quota, period = path.read_text().split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None
