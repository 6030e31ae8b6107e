"""What machine this is: threads to compute with, and memory to spare."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from foretell.errors import ConfigError, OutOfMemoryError
from foretell.utils.quoting import quote

MAX_THREADS = 1024


def choose_threads(given: int | None) -> int:
    """Threads to compute with: as given, else FORETELL_THREADS, else one a physical core.

    Only processors that this process may use are counted, and no more than a container's
    processor quota.
    """
    if given is not None:
        return _checked_threads(given, f"threads={quote(given)}")
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


def available_memory(
    proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Bytes that this process may still take without swapping; None where the system does not say.

    On Linux what the kernel reckons as available, and no more than the process's own limit and
    those of its control groups leave. On macOS and others all of the memory, if free memory is
    unknown.
    """
    if sys.platform == "win32":
        return _available_on_windows()
    left = [_read_meminfo(proc / "meminfo"), _address_space_left(proc / "self" / "statm")]
    left += [group.left() for group in _memory_groups(proc / "self" / "cgroup", cgroups)]
    known = [amount for amount in left if amount is not None]
    return max(0, min(known)) if known else _available_pages()


def _read_meminfo(path: Path, name: str = "MemAvailable") -> int | None:
    try:
        lines = path.read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        return int(fields[name].split()[0]) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        return None


def free_swap(proc: Path = Path("/proc")) -> int:
    """Bytes of memory that the system may still move to disk; 0 where it does not say."""
    return _read_meminfo(proc / "meminfo", "SwapFree") or 0


def check_memory(title: str, needed: int) -> None:
    """OutOfMemoryError if weights of so many bytes fit neither memory nor swap.

    A system that gives memory before it has it would end the process instead.
    """
    available = available_memory()
    if available is not None and needed > available + free_swap():
        raise out_of_memory(title, needed)


def out_of_memory(title: str, needed: int) -> OutOfMemoryError:
    """The error that says how much memory a model's weights take, and how much there is."""
    available = available_memory()
    there = "" if available is None else f", {available / 1e9:.2f} GB are available"
    return OutOfMemoryError(
        f"{title}: too little memory: the weights take {needed / 1e9:.2f} GB{there}: close other "
        "programs, or take a smaller or quantized model"
    )


def _address_space_left(statm: Path) -> int | None:
    """Bytes to the process's own limit (`ulimit -v`); None if it has none."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return None
        return limit - int(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError, ValueError, IndexError):
        return None


@dataclass(frozen=True)
class _MemoryGroup:
    """A Linux control group's folder, and what version 1 or 2 calls the files in it."""

    folder: Path
    limit: str
    usage: str
    reclaimable: str

    def left(self) -> int | None:
        """Bytes to the limit, file pages that would make room not counted; None if unlimited."""
        try:
            limit = int((self.folder / self.limit).read_text())
            used = int((self.folder / self.usage).read_text())
        except (OSError, ValueError):
            return None
        return limit - used + self._reclaimable_bytes()

    def _reclaimable_bytes(self) -> int:
        try:
            lines = (self.folder / "memory.stat").read_text().splitlines()
            pairs = (line.split() for line in lines)
            return int(dict(pair for pair in pairs if len(pair) == 2)[self.reclaimable])
        except (OSError, ValueError, KeyError):
            return 0


def _memory_groups(listing: Path, root: Path) -> Iterator[_MemoryGroup]:
    """The control groups that bound this process's memory: its own and those around it."""
    try:
        lines = [line.split(":", 2) for line in listing.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in (parts for parts in lines if len(parts) == 3):
        inner = Path(path.lstrip("/"))
        for part in (inner, *inner.parents):
            if not controllers:
                yield _MemoryGroup(root / part, "memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                folder = root / "memory" / part
                limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
                yield _MemoryGroup(folder, limit, usage, "total_inactive_file")


def _available_pages() -> int | None:
    for name in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"):
        try:
            pages = os.sysconf(name)
        except (AttributeError, ValueError, OSError):
            continue
        if pages > 0:
            return pages * os.sysconf("SC_PAGE_SIZE")
    return None


def _available_on_windows() -> int | None:
    import ctypes

    class MemoryStatus(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total_physical", ctypes.c_ulonglong),
            ("available_physical", ctypes.c_ulonglong),
            ("others", ctypes.c_ulonglong * 5),
        )

    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    library = getattr(ctypes, "windll", None)
    if library is None or not library.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    available: int = status.available_physical
    return available
