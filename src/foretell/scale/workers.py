"""Several processes at one job: each runs the same command, and takes the parts that are free."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence

from foretell.errors import ForetellError

MAX_DEATHS = 3
"""Times that a process may be killed by others before the job ends."""

INTERVAL = 0.2  # seconds between two looks at them


class WorkerError(ForetellError):
    """A process of a job ended with an error, which it has told of itself."""


def run_workers(command: Sequence[str], count: int, watch: Callable[[], object]) -> None:
    """Run a command so many times at once, until all have ended well.

    One that a signal has killed is begun again. Where one ends with an error, or this process is
    interrupted, the others are ended too: what they were at is left as it was.

    Args:
        command: the command of one process.
        count: how many of them.
        watch: called now and then.

    Raises:
        WorkerError: one ended with an error, or was killed too often.
    """
    processes: list[subprocess.Popen[bytes]] = []
    deaths = 0
    try:
        for _ in range(count):
            processes.append(_started(command))
        while not all(process.poll() == 0 for process in processes):  # None: it runs
            time.sleep(INTERVAL)
            watch()
            for index, process in enumerate(processes):
                if not process.poll():  # it runs, or has ended well
                    continue
                deaths += 1
                _check_death(process.returncode, deaths, MAX_DEATHS * count)
                processes[index] = _started(command)
    finally:
        _end(processes)


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command)
    except OSError as error:
        raise WorkerError(f"no worker can be started: {error.strerror or error}") from None


def _check_death(code: int, deaths: int, most: int) -> None:
    """WorkerError if a process's end is none to begin another one after."""
    if code > 0:
        raise WorkerError(f"a worker ended with exit code {code}")
    if deaths > most:
        raise WorkerError(
            f"workers were killed {deaths} times, last by {_signal_name(-code)}: too little memory?"
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
