"""A job of many rows beside `LLM.generate` on the same prompts, in turns; and without a model.

    python -m benchmarks.speed.batch MODEL --threads 2
    python -m benchmarks.speed.batch --driver 1000000

The first tells CPU and wall-clock seconds of both, and their ratios round by round. The second has
rows made by a generator and answers that are there at once, so that what is left is the driver: how
many microseconds of CPU time it takes a row, step by step, and what memory it has in between. Each
prints as it goes, then one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from foretell import LLM
from foretell.scale import job as jobs
from foretell.scale.manifest import Manifest
from foretell.scale.rows import Row, row_seed
from foretell.scale.start import open_job
from foretell.scale.summary import summarize

ANSWER = {"choices": [{"index": 0, "text": " sat on the mat and went to sleep."}]}
USAGE = {"prompt_tokens": 7, "completion_tokens": 8, "total_tokens": 15}


@dataclass
class Clock:
    """CPU and wall-clock seconds of this process since it was made."""

    cpu: float = field(default_factory=time.process_time)
    wall: float = field(default_factory=time.perf_counter)

    def read(self) -> tuple[float, float]:
        """Seconds of both."""
        return time.process_time() - self.cpu, time.perf_counter() - self.wall


def prompts_of(number: int, count: int) -> list[str]:
    """Prompts of a round; no two rounds share one."""
    return [f"{number}. Item {index} of the list is a story about" for index in range(count)]


def beside_generate(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of both ways, round by round, the second of each pair first in every other round."""
    settings = {"max_new_tokens": arguments.tokens, "ignore_eos": True, "temperature": 0}
    seconds: dict[str, list[tuple[float, float]]] = {"generate": [], "batch": []}
    with LLM(arguments.model, threads=arguments.threads, prefix_caching=False) as llm:

        def generate(prompts: list[str]) -> None:
            llm.generate(prompts, **settings)

        def batch(prompts: list[str]) -> None:
            with tempfile.TemporaryDirectory() as folder:
                llm.batch(prompts, folder, **settings)

        ways: dict[str, Callable[[list[str]], None]] = {"generate": generate, "batch": batch}
        for way in ways.values():
            way(prompts_of(-1, 8))
        for number in range(arguments.rounds):
            for name in sorted(ways, reverse=number % 2 == 0):
                clock = Clock()
                ways[name](prompts_of(number, arguments.rows))
                seconds[name].append(clock.read())
    return told(seconds)


def told(seconds: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    """Medians, and ratios round by round."""
    found: dict[str, Any] = {}
    for index, kind in enumerate(("cpu", "wall")):
        both = [(a[index], b[index]) for a, b in zip(*seconds.values(), strict=True)]
        ratios = [batch / generate for generate, batch in both]
        found[kind] = {
            "generate_seconds": round(statistics.median(one for one, _ in both), 3),
            "batch_seconds": round(statistics.median(one for _, one in both), 3),
            "ratio": round(statistics.median(ratios), 4),
            "ratios": [round(ratio, 4) for ratio in ratios],
        }
        print(f"{kind:5}", found[kind], flush=True)
    return found


def memory_mib() -> float:
    """What this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * 4096 / 2**20, 1)


def rows_of(count: int) -> Iterator[dict[str, Any]]:
    """So many rows, made as they are asked for."""
    for number in range(count):
        yield {"custom_id": f"row {number}", "prompt": f"Item {number} of the list is about"}


async def at_once(row: Row, manifest: Manifest, state: object) -> bytes:
    """An answer without a model: its seed, and as much JSON as an answer has."""
    body = {**ANSWER, "seed": row_seed(manifest.seed, row.custom_id), "usage": USAGE}
    told = {"id": "batch_req", "custom_id": row.custom_id, "response": {"body": body}}
    return json.dumps({**told, "error": None}, separators=(",", ":")).encode() + b"\n"


def driver(count: int) -> dict[str, Any]:
    """What the driver costs a row, step by step, and what memory it has in between."""
    costs: dict[str, float] = {}
    memory = [memory_mib()]
    num_answered = 0

    def show(answered: int, refused: int) -> None:
        nonlocal num_answered
        num_answered += answered
        if num_answered % (count // 10) == 0:
            memory.append(memory_mib())
            print(f"{num_answered} rows answered, {memory[-1]} MiB", flush=True)

    def timed(name: str, act: Callable[[], Any]) -> Any:
        clock = Clock()
        found = act()
        costs[name] = round(clock.read()[0] / count * 1e6, 2)
        memory.append(memory_mib())
        print(f"{name}: {costs[name]} µs a row, {memory[-1]} MiB", flush=True)
        return found

    with tempfile.TemporaryDirectory() as name, mock.patch.object(jobs, "answer", at_once):
        folder, source = Path(name) / "out", Path(name) / "in.jsonl"
        with source.open("w") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows_of(count))
        job = timed("scan: hash, ids, parts", lambda: open_job(source, folder, {"name": "none"}))
        llm: Any = None
        timed("rows, seeds, answers, parts", lambda: asyncio.run(jobs.run(job, llm, show)))
        summary = timed("summary: hashes, counts", lambda: summarize(job))
    if (summary.answered, summary.is_complete) != (count, True):
        raise SystemExit(f"not all rows were answered: {summary}")
    costs["all"] = round(sum(costs.values()), 2)
    return {"rows": count, "microseconds_a_row": costs, "mib": memory}


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="smollm2-135m-instruct")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--driver", type=int, metavar="ROWS", help="the driver alone")
    given = parser.parse_args()
    print(json.dumps(driver(given.driver) if given.driver else beside_generate(given)))


if __name__ == "__main__":
    main()
