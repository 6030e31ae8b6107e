"""Processes of a Ray cluster that this process has started, to kill them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path


def below(ancestor: int) -> dict[int, str]:
    """All processes below one, with what they are called."""
    parents, names = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            rest = (folder / "stat").read_text().rpartition(")")[2].split()
            name = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended meanwhile
            continue
        if rest[0] != "Z":
            parents[int(folder.name)], names[int(folder.name)] = int(rest[1]), name
    found = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: names[pid] for pid in found - {ancestor} if pid in names}


def actors(kind: str) -> list[int]:
    """Processes of the actors of a class, in the cluster that this process has started."""
    return sorted(
        pid for pid, name in below(os.getpid()).items() if name.startswith(f"ray::{kind}")
    )


def kill(pid: int) -> None:
    """Kill a process, which may have ended meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def until_gone(kind: str, seconds: float = 30.0) -> None:
    """Wait until no actor of a class is left."""
    deadline = time.monotonic() + seconds
    while found := actors(kind):
        assert time.monotonic() < deadline, f"{kind} is still there: {found}"
        time.sleep(0.05)
