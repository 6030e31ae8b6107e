"""Processes that share a job: what is done where one ends, is killed, or cannot be started."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from foretell.scale import workers
from foretell.scale.workers import WorkerError, run_workers

Process = subprocess.Popen[bytes]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "INTERVAL", 0.01)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """All processes that were started."""
    found: list[Process] = []
    popen = subprocess.Popen

    def start(command: Sequence[str]) -> Process:
        found.append(popen(command))
        return found[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    return found


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_it_ends_when_all_have_ended_well(tmp_path: Path) -> None:
    looks: list[int] = []
    run_workers(shell(f"sleep 0.1; echo x >> {tmp_path}/done"), 3, lambda: looks.append(1))
    assert (tmp_path / "done").read_text() == "x\n" * 3
    assert looks


def test_one_that_is_killed_is_begun_again(tmp_path: Path) -> None:
    once = f"mkdir {tmp_path}/killed 2> /dev/null && kill -9 $$; echo x >> {tmp_path}/done"
    run_workers(shell(once), 2, lambda: None)
    assert (tmp_path / "done").read_text() == "x\n" * 2


@pytest.mark.parametrize("script", ["exit 3", "kill -9 $$"])
def test_no_end_is_missed_between_two_looks(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All have ended before anybody looks at one."""
    popen = subprocess.Popen

    def start(command: Sequence[str]) -> Process:
        process = popen(command)
        process.wait()
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(WorkerError, match=r"exit code 3|were killed 7 times"):
        run_workers(shell(script), 2, lambda: None)


def test_an_error_of_one_ends_the_others(tmp_path: Path, started: list[Process]) -> None:
    script = f"mkdir {tmp_path}/first 2> /dev/null && exec sleep 600; sleep 0.05; exit 2"
    with pytest.raises(WorkerError, match="a worker ended with exit code 2"):
        run_workers(shell(script), 3, lambda: None)
    assert all(process.poll() is not None for process in started)


def test_an_interruption_ends_them(started: list[Process]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_workers(shell("exec sleep 600"), 2, interrupt)
    assert [process.poll() for process in started] == [-signal.SIGTERM] * 2


def test_who_is_killed_again_and_again_ends_the_job() -> None:
    with pytest.raises(WorkerError, match="workers were killed 4 times, last by SIGKILL: too"):
        run_workers(shell("kill -9 $$"), 1, lambda: None)


def test_where_one_cannot_be_started_the_others_are_ended(
    monkeypatch: pytest.MonkeyPatch, started: list[Process]
) -> None:
    start = subprocess.Popen

    def start_two(command: Sequence[str]) -> Process:
        if len(started) == 2:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return start(command)

    monkeypatch.setattr(subprocess, "Popen", start_two)
    with pytest.raises(WorkerError, match="no worker can be started: Resource temporarily"):
        run_workers(shell("exec sleep 600"), 3, lambda: None)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)
