"""A job of many rows whose processes are killed again and again: the same bytes, each row once.

    python -m benchmarks.stress.batch_kills --rows 20000 --kills 25
    build/ray/venv/bin/python -m benchmarks.stress.batch_kills --ray

Rows of all kinds over a toy model (`batch_rows.py`) are answered by one process that nobody
disturbs. Then by several, which are killed with SIGKILL at random moments: mostly all at once, now
and then one alone, which the others must bear. Each time the job is gone on with by another number
of them. In the end the hash of all parts must be the undisturbed one's, and each row must have one
answer, in its place. With `--ray` those who are killed are drivers and workers of a Ray cluster of
this machine (`make test-ray` makes the environment); the undisturbed process does without.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.stress.batch_on_ray import cluster_here, ray_workers
from benchmarks.stress.batch_rows import mixed_lines, save_toy_model

FORETELL = (sys.executable, "-m", "foretell")
WORKERS = (4, 1, 3, 2)
"""How many go on after each kill, in turns."""

LIFE_SECONDS = 6.0
"""How long processes live at most that are killed by the clock."""


def children_of(pid: int) -> list[int]:
    """Processes that one has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@dataclass(frozen=True)
class Trial:
    """A job, and how its processes are started.

    Attributes:
        model: the model's folder.
        source: the rows.
        part_rows: rows of a part.
        more: further arguments of each command.
        victims: processes at work for a command, one of which may be killed alone.
    """

    model: Path
    source: Path
    part_rows: int
    more: Sequence[str] = ()
    victims: Callable[[int], Sequence[int]] = children_of

    def command(self, folder: Path, workers: int) -> list[str]:
        """The command that makes the job, or goes on with it."""
        job = ["batch", str(self.source), "-o", str(folder), "-m", str(self.model)]
        shape = ["--part-rows", str(self.part_rows), "--workers", str(workers), "--threads", "1"]
        return [*FORETELL, *job, *shape, "--json", *self.more]

    def run(self, folder: Path, workers: int) -> dict[str, Any]:
        """Run it to its end; the summary."""
        done = subprocess.run(
            self.command(folder, workers), check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"the job ended with {done.returncode}: {done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def start(self, folder: Path, workers: int) -> subprocess.Popen[bytes]:
        """Start it as a group of processes of its own."""
        return subprocess.Popen(
            self.command(folder, workers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def num_parts(folder: Path) -> int:
    """Parts that are there."""
    return sum(1 for _ in folder.glob("part-*"))


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and all that it started, in the same moment."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def kill_one(trial: Trial, process: subprocess.Popen[bytes], chance: random.Random) -> bool:
    """Kill one of the processes that work for a command; whether there was one."""
    victims = trial.victims(process.pid)
    if not victims:
        return False
    os.kill(chance.choice(victims), signal.SIGKILL)
    return True


@dataclass(frozen=True)
class Moments:
    """When processes are killed.

    Half of the lives end as soon as some more parts have come, as many as let the kills reach over
    the whole job; the others after some seconds, which may fall into the start.

    Attributes:
        chance: draws them.
        kills: how many there are.
        parts: of the job.
    """

    chance: random.Random
    kills: int
    parts: int

    def wait(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        """Wait for the next moment, or for the command's end."""
        more = self.chance.uniform(0, 1.5 * self.parts / self.kills)
        enough, until = num_parts(folder) + more, float("inf")
        if self.chance.random() < 0.5:
            enough, until = self.parts, time.monotonic() + self.chance.uniform(0.2, LIFE_SECONDS)
        while num_parts(folder) < enough and time.monotonic() < until and process.poll() is None:
            time.sleep(0.02)
        time.sleep(self.chance.uniform(0, 0.1))


def disturb(trial: Trial, folder: Path, kills: int, seed: int) -> list[str]:
    """Kill a job so many times, if it does not end before, and go on with it; what was done."""
    chance, told = random.Random(seed), list[str]()
    num_rows = sum(1 for _ in trial.source.open("rb"))
    moments = Moments(chance, kills, -(-num_rows // trial.part_rows))
    while len(told) < kills:
        workers = WORKERS[len(told) % len(WORKERS)]
        process = trial.start(folder, workers)
        moments.wait(process, folder)
        if workers > 1 and chance.random() < 0.3 and kill_one(trial, process, chance):
            told.append(f"one of {workers} at {num_parts(folder)} parts")
            print(told[-1], flush=True)
            moments.wait(process, folder)
        if process.poll() is not None:
            if num_parts(folder) < moments.parts:
                raise SystemExit(f"it ended by itself: {process.communicate()[1].decode()}")
            break
        kill_all(process)
        told.append(f"all of {workers} at {num_parts(folder)} parts")
        print(told[-1], flush=True)
    return told


def ids_of(folder: Path) -> list[str]:
    """The id of each answer, in order."""
    parts = sorted(folder.glob("part-*.jsonl"))
    return [json.loads(line)["custom_id"] for part in parts for line in part.open()]


def expected_ids(source: Path) -> list[str]:
    """The ids that the rows of an input have."""
    ids = []
    for number, line in enumerate(source.open(), 1):
        try:
            ids.append(json.loads(line).get("custom_id") or f"row-{number}")
        except ValueError:
            ids.append(f"row-{number}")
    return ids


def check(trial: Trial, folder: Path, whole: dict[str, Any], ended: dict[str, Any]) -> None:
    """End the program where a disturbed job is not what the undisturbed one is."""
    if ended["sha256"] != whole["sha256"]:
        raise SystemExit(f"the bytes differ: {ended} is not {whole}")
    if ids_of(folder) != expected_ids(trial.source):
        raise SystemExit("the answers are not one a row, in the order of the rows")
    left = [path.name for path in folder.iterdir() if path.name.endswith(".partial")]
    if left:
        raise SystemExit(f"something is left: {left}")


@contextmanager
def workers_of(trial: Trial, *, on_ray: bool) -> Iterator[Trial]:
    """The trial with workers on Ray, if they shall be there."""
    if not on_ray:
        yield trial
        return
    with cluster_here() as address:
        yield replace(trial, more=("--ray", address), victims=lambda pid: ray_workers())


def main() -> None:
    """Run the trial, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--part-rows", type=int, default=128)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ray", action="store_true", help="workers are a Ray cluster's")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "in.jsonl"
        source.write_text("".join(line + "\n" for line in mixed_lines(given.rows)))
        trial = Trial(save_toy_model(folder / "model"), source, given.part_rows)
        begun = time.perf_counter()
        whole = trial.run(folder / "whole", 1)
        seconds = time.perf_counter() - begun
        print(f"undisturbed: {seconds:.1f} s, {whole}", flush=True)
        told = list[str]()
        with workers_of(trial, on_ray=given.ray) as disturbable:
            while len(told) < given.kills:
                disturbed, left = folder / f"killed after {len(told)}", given.kills - len(told)
                told += disturb(disturbable, disturbed, left, given.seed + len(told))
                check(trial, disturbed, whole, disturbable.run(disturbed, 2))
        print(json.dumps({**whole, "kills": len(told), "seconds_undisturbed": round(seconds, 1)}))


if __name__ == "__main__":
    main()
