"""`foretell batch`: its options, its summary, and what it tells."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.stress.batch_rows import save_toy_model
from foretell import LLM

ROWS = [{"prompt": "the cat", "max_tokens": 4}, {"prompt": "x", "temperature": -1}, {"prompt": "a"}]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _real(shell: Any) -> None:
    """Models are what they are, and no recital."""
    shell.monkeypatch.undo()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def arguments(model: Path, source: Path, folder: str, *more: str) -> list[str]:
    job = ["batch", str(source), "-o", str(source.parent / folder), "-m", str(model)]
    return [*job, "--part-rows", "2", "--threads", "1", *more]


def test_it_tells_what_became_of_the_rows(shell: Any, model: Path, source: Path) -> None:
    done = shell.run(*arguments(model, source, "out"))
    assert (done.code, done.out) == (0, "")
    last = done.err.splitlines()[-1]
    assert re.fullmatch(r"3 of 3 rows answered, 1 of them refused, \d+ tokens, in .*out", last)
    records = sorted((source.parent / "out" / "records").iterdir())
    assert [json.loads(path.read_text())["rows"] for path in records] == [2, 1]


def test_its_bytes_are_those_of_the_llm(shell: Any, model: Path, source: Path) -> None:
    told = json.loads(shell.run(*arguments(model, source, "out", "--seed", "4", "--json")).out)
    assert (told["rows"], told["refused"], told["parts_done"]) == (3, 1, 2)
    with LLM(model, threads=1) as llm:
        summary = llm.batch(source, source.parent / "again", part_rows=2, seed=4)
        assert summary.to_dict() == told
        assert llm.batch(source, source.parent / "out", seed=4) == summary  # the same job


def test_shards_and_tables(shell: Any, model: Path, source: Path) -> None:
    pytest.importorskip("pyarrow")
    more = ("--format", "parquet", "--json", "--shard")
    half = json.loads(shell.run(*arguments(model, source, "out", *more, "1/2")).out)
    assert (half["parts_done"], half["sha256"]) == (1, None)
    whole = json.loads(shell.run(*arguments(model, source, "out", *more, "0/2")).out)
    assert whole["parts_done"] == 2
    names = sorted(path.name for path in (source.parent / "out").glob("part-*"))
    assert names == ["part-000000.parquet", "part-000001.parquet"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--shard", "4/4"), "'4/4' must be I/N"),
        (("--format", "csv"), "'csv' is not one of"),
        (("--max-time", "3"), "max_time"),
        (("--column", "x"), "column='x' is for tables"),
    ],
)
def test_what_cannot_be_is_refused(
    more: tuple[str, ...], reason: str, shell: Any, model: Path, source: Path
) -> None:
    done = shell.run(*arguments(model, source, "out", *more))
    assert done.code == 2
    assert reason in done.err


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_it_tells_the_first_refusal(form: str, shell: Any, model: Path, source: Path) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    done = shell.run(*arguments(model, source, "out", "--format", form, "--json"))
    assert "the first row that is refused is row-2: temperature=-1" in done.err


def test_it_tells_of_parts_that_stay_as_they_were(shell: Any, model: Path, source: Path) -> None:
    shell.run(*arguments(model, source, "out", "--shard", "0/2"))
    done = shell.run(*arguments(model, source, "out", "--part-rows", "1"))
    assert "parts have 2 rows, as the job was begun: --part-rows 1 is unused" in done.err
    assert done.code == 0
    assert "unused" not in shell.run(*arguments(model, source, "out")).err


def test_interrupted_it_tells_how_far_it_came(shell: Any, model: Path, source: Path) -> None:
    shell.run(*arguments(model, source, "out", "--shard", "0/2"))

    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    shell.monkeypatch.setattr("foretell.cli.commands.batch._make", interrupt)
    done = shell.run(*arguments(model, source, "out"))
    assert done.code == 130
    assert done.err.splitlines()[-1] == "2 of 3 rows are written: the same command goes on"


def test_workers_run_the_same_command(shell: Any, model: Path, source: Path) -> None:
    job = ["-o", str(source.parent / "out"), "-m", str(model), "--workers", "3"]
    words = ["batch", *job, "--", str(source)]
    commands: list[Sequence[str]] = []

    def run_workers(command: Sequence[str], *_: Any) -> None:
        commands.append(command)
        raise KeyboardInterrupt

    shell.monkeypatch.setattr("foretell.scale.workers.run_workers", run_workers)
    shell.monkeypatch.setattr(sys, "argv", ["foretell", *words])
    shell.monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert shell.run(*words).code == 130
    own = ["--workers", "1", "--as-worker", "--threads", "2"]
    end = ["--", str(source)]
    assert commands == [[sys.executable, "-m", "foretell", "batch", *job, *own, *end]]


def test_stdin_is_no_input(shell: Any, tmp_path: Path) -> None:
    done = shell.run("batch", "-", "-o", str(tmp_path / "out"))
    assert done.code == 2
    assert "stdin cannot be read again when the job is gone on with: write it to a file" in done.err


def test_its_help_tells_its_own_defaults(shell: Any) -> None:
    told = " ".join(shell.run("batch", "--help").out.split())
    assert "[default: 16 for a completion; a chat's answer has all the context's room]" in told
    assert "[default: draw at temperature 1, unless settings say how to choose]" in told
    assert "on a terminal" not in told
