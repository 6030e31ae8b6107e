"""`foretell batch` as processes, which are killed: the same bytes in the end, each row once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

FORETELL = (sys.executable, "-m", "foretell")
NUM_ROWS = 60


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("batch") / "in.jsonl"
    rows: list[dict[str, Any]] = [
        {"prompt": f"The number {number} is", "max_tokens": 4 + number % 4}
        | ({"temperature": 0} if number % 3 else {"top_p": 0.9})
        for number in range(NUM_ROWS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def command(source: Path, folder: Path, *more: str) -> list[str]:
    return [*FORETELL, "batch", str(source), "-o", str(folder), "--part-rows", "4", *more]


def summary(source: Path, folder: Path, *more: str) -> dict[str, Any]:
    done = subprocess.run(
        command(source, folder, "--json", *more),
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def answers(folder: Path) -> str:
    return "".join(part.read_text() for part in sorted(folder.glob("part-*.jsonl")))


@pytest.mark.usefixtures("default_model_path")
def test_killed_at_any_moment_it_comes_to_the_same_bytes(source: Path, tmp_path: Path) -> None:
    whole = summary(source, tmp_path / "whole")
    assert (whole["rows"], whole["answered"], whole["refused"]) == (NUM_ROWS, NUM_ROWS, 0)
    chance = random.Random(3)
    for _ in range(4):
        process = subprocess.Popen(
            command(source, tmp_path / "killed"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.6, 2.0))
        process.kill()
        process.wait()
    ended = summary(source, tmp_path / "killed", "--workers", "2", "--threads", "1")
    assert ended["parts_done"] == ended["parts"] == NUM_ROWS // 4
    assert ended["sha256"] == whole["sha256"]
    assert answers(tmp_path / "killed") == answers(tmp_path / "whole")
    ids = Counter(
        json.loads(line)["custom_id"] for line in answers(tmp_path / "whole").splitlines()
    )
    assert set(ids.values()) == {1}
    assert not list((tmp_path / "killed").glob(".part-*"))


@pytest.mark.usefixtures("default_model_path")
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--shard", "4/4"), "'4/4' must be I/N"),
        (("--temperature", "-1"), "temperature=-1"),
        (("--column", "x"), "column='x' is for tables"),
        (("--model", "no-such-model"), "no-such-model"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    more: tuple[str, ...], message: str, source: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        command(source, tmp_path / "out", *more),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
