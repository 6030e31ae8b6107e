"""Many random requests for many minutes: no block lost, memory flat, every answer the same.

    .venv/bin/python -m benchmarks.stress.soak MODEL.gguf --threads 2 --minutes 10

Clients send requests of mixed settings through one `AsyncLLM` with few KV blocks. Some read to the
end, some dawdle, some leave in the middle, forget their stream or are cancelled (soak_clients.py).
Once a minute all come to rest: then every block must be free, and resident memory and the number of
Python objects are noted. Requests whose answers are known must answer the same, whatever runs
beside them. Exit code 1 if anything is amiss, the reasons on stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.harness import options, write_result
from benchmarks.stress.soak_clients import Clients
from foretell import AsyncLLM

MAX_PERIOD = 60.0  # seconds between two rests
MIN_PERIODS = 5  # also of a shorter run
REST = 30.0  # seconds that the engine has to come to rest
WARM_UP = 0.3  # share of the run after which memory must be flat


@dataclass(frozen=True)
class Mark:
    """What was found at rest. `fewest_free` is the least of free blocks in the period before."""

    seconds: float
    resident_bytes: int
    num_objects: int
    running: int
    waiting: int
    num_blocks: int
    free_blocks: int
    fewest_free: int
    most_waiting: int
    preemptions: int
    hit_rate: float
    tokens_per_second: float
    done: int
    dropped: int
    refused: int
    failed: int

    def line(self) -> str:
        """One line for people."""
        return (
            f"{self.seconds / 60:5.1f} min: {self.resident_bytes / 1e6:.1f} MB, "
            f"{self.num_objects:,} objects; blocks free {self.free_blocks} of {self.num_blocks} "
            f"(at worst {self.fewest_free}), waiting at most {self.most_waiting}; "
            f"done {self.done}, dropped {self.dropped}, refused {self.refused}, "
            f"failed {self.failed}; preemptions {self.preemptions}, hits {self.hit_rate:.0%}, "
            f"{self.tokens_per_second:.0f} tokens/s"
        )


class Watch:
    """Looks at the engine's figures now and then while clients are busy."""

    def __init__(self, llm: AsyncLLM) -> None:
        self._llm = llm
        self.fewest_free = sys.maxsize
        self.most_waiting = 0

    async def look(self) -> None:
        """Look until cancelled."""
        while True:
            stats = await self._llm.stats()
            self.fewest_free = min(self.fewest_free, stats.free_blocks)
            self.most_waiting = max(self.most_waiting, stats.waiting)
            await asyncio.sleep(0.2)


def resident_bytes() -> int:
    """Resident memory of this process; its peak, where the system gives no more."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def busy(llm: AsyncLLM, clients: Clients, seconds: float) -> Watch:
    """Let the clients send requests for so long, and wait until each is through."""
    watch = Watch(llm)
    looking = asyncio.create_task(watch.look())
    await clients.run(time.monotonic() + seconds)
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
    return watch


async def rest(llm: AsyncLLM) -> Any:
    """The engine's figures once it has nothing to do, or after `REST` seconds."""
    deadline = time.monotonic() + REST
    while True:
        gc.collect()
        await asyncio.sleep(0.05)  # what was forgotten is closed by the event loop
        stats = await llm.stats()
        is_idle = not stats.running and not stats.waiting
        if (is_idle and stats.free_blocks == stats.num_blocks) or time.monotonic() > deadline:
            return stats


async def period(llm: AsyncLLM, clients: Clients, started: float, seconds: float) -> Mark:
    """Some busy time and what was found after it."""
    watch = await busy(llm, clients, seconds)
    stats = await rest(llm)
    counts: Counter[str] = clients.counts
    return Mark(
        seconds=time.monotonic() - started,
        resident_bytes=resident_bytes(),
        num_objects=len(gc.get_objects()),
        running=stats.running,
        waiting=stats.waiting,
        num_blocks=stats.num_blocks,
        free_blocks=stats.free_blocks,
        fewest_free=watch.fewest_free,
        most_waiting=watch.most_waiting,
        preemptions=stats.preemptions,
        hit_rate=stats.hit_rate,
        tokens_per_second=stats.tokens_per_second,
        **{name: counts[name] for name in ("done", "dropped", "refused", "failed")},
    )


def complaints(marks: list[Mark], clients: Clients, arguments: argparse.Namespace) -> list[str]:
    """All that is amiss."""
    found = [f"{count} × {what}" for what, count in clients.complaints.items()]
    for mark in marks:
        if mark.running or mark.waiting:
            found.append(
                f"{mark.seconds:.0f} s: {mark.running} requests run and {mark.waiting} wait at rest"
            )
        if mark.free_blocks != mark.num_blocks:
            lost = mark.num_blocks - mark.free_blocks
            found.append(f"{mark.seconds:.0f} s: {lost} blocks are not free at rest")
    if not marks[-1].preemptions:
        found.append("nothing was preempted: the pool must be smaller to show anything")
    if not clients.counts["repeated"]:
        found.append("no known request was repeated: the run must be longer to show anything")
    return found + growth(marks, arguments)


def growth(marks: list[Mark], arguments: argparse.Namespace) -> list[str]:
    """Whether memory or objects grew after the warm-up: the least of each half is compared."""
    warm = marks[int(len(marks) * WARM_UP) :]
    early, late = warm[: len(warm) // 2], warm[len(warm) // 2 :]
    found = []
    grown = min(one.resident_bytes for one in late) - min(one.resident_bytes for one in early)
    if grown > arguments.flat_mb * 1e6:
        found.append(f"memory grew by {grown / 1e6:.1f} MB, more than {arguments.flat_mb:g}")
    grown = min(one.num_objects for one in late) - min(one.num_objects for one in early)
    if grown > arguments.flat_objects:
        found.append(f"{grown:,} Python objects more, above {arguments.flat_objects:,}")
    return found


async def soak(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run it and gather what was found."""
    seconds = arguments.minutes * 60
    num_periods = max(MIN_PERIODS, round(seconds / MAX_PERIOD))
    marks: list[Mark] = []
    async with AsyncLLM(
        arguments.model,
        threads=arguments.threads,
        context_length=1024,
        num_blocks=arguments.blocks,
        max_waiting=arguments.max_waiting,
    ) as llm:
        clients = Clients(llm, random.Random(arguments.seed), arguments.clients)
        await clients.learn(arguments.known)
        started = time.monotonic()
        for _ in range(num_periods):
            marks.append(await period(llm, clients, started, seconds / num_periods))
            print(marks[-1].line(), flush=True)
    return {
        "minutes": arguments.minutes,
        "clients": arguments.clients,
        "seed": arguments.seed,
        "counts": dict(clients.counts),
        "marks": [asdict(mark) for mark in marks],
        "complaints": complaints(marks, clients, arguments),
    }


def main() -> None:
    """Run, write, and complain."""
    parser = options("random requests for minutes: blocks, memory, answers", has_peers=False)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--blocks", type=int, default=160, help="KV blocks of 16 positions")
    parser.add_argument("--max-waiting", type=int, default=8)
    parser.add_argument("--known", type=int, default=12, help="requests whose answer is known")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--flat-mb", type=float, default=8, help="growth that counts as flat")
    parser.add_argument("--flat-objects", type=int, default=2000)
    arguments = parser.parse_args()
    result = asyncio.run(soak(arguments))
    write_result("soak", arguments, result)
    for complaint in result["complaints"]:
        print(f"soak: {complaint}", file=sys.stderr)
    if result["complaints"]:
        raise SystemExit(1)
    print(f"sound: {result['counts']}")


if __name__ == "__main__":
    main()
