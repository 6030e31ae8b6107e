"""Damaged inputs, folders and disks: each is told, nothing is lost, and the job can go on."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.batches import MODEL, begin, bytes_of, make, toy, write_input
from support.toy_async import run as run_async

from foretell.errors import ConfigError
from foretell.scale import parts, start
from foretell.scale.job import Job, run
from foretell.scale.manifest import NAME
from foretell.scale.start import join_job, open_job
from foretell.scale.summary import summarize
from foretell.scale.writing import put

NUM_PARTS = 6


@pytest.fixture
def done(tmp_path: Path) -> Job:
    """A job that is done."""
    job = begin(tmp_path)
    assert make(job) == NUM_PARTS
    return job


# The input


def test_a_broken_line_is_a_rows_error_and_the_others_are_answered(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    good = json.dumps({"prompt": "the", "max_tokens": 2}).encode()
    source.write_bytes(
        b"\n".join([good, b'{"prompt": "cut', b"\xff\xfe\x00", good, b"[]", b"null"])
    )
    job = open_job(source, tmp_path / "out", MODEL)
    make(job)
    answers = [json.loads(line) for line in bytes_of(job)[0].splitlines()]
    assert [answer["error"] is None for answer in answers] == [
        True,
        False,
        False,
        True,
        False,
        False,
    ]
    assert [answer["custom_id"] for answer in answers] == [f"row-{n}" for n in range(1, 7)]
    assert "line 3 is not JSON" in answers[2]["error"]["message"]


def test_an_id_twice_is_told_before_anything_is_made(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"custom_id": "a", "prompt": "x"}\n{"custom_id": "a", "prompt": "y"}\n')
    with pytest.raises(ConfigError, match="lines 1 and 2 both have custom_id 'a': ids must differ"):
        open_job(source, tmp_path / "out", MODEL)
    assert not (tmp_path / "out" / NAME).exists()


def test_ten_megabytes_in_a_row_are_refused_alone(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    rows = [{"prompt": "the", "max_tokens": 2}, {"prompt": "x" * 10_000_000}, {"prompt": "a"}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = open_job(source, tmp_path / "out", MODEL)
    make(job)
    answers = [json.loads(line) for line in bytes_of(job)[0].splitlines()]
    assert [answer["error"] is None for answer in answers] == [True, False, True]
    assert "too long" in answers[1]["error"]["message"]
    assert len(bytes_of(job)[0]) < 10_000


def test_an_input_that_was_changed_is_told_between_runs_and_within_one(tmp_path: Path) -> None:
    job = begin(tmp_path)
    assert make(job, [0, 1]) == 2
    before = [job.parts.path(part).read_bytes() for part in (0, 1)]
    text = job.input.read_bytes()
    job.input.write_bytes(text.replace(b'"ab"', b'"ac"'))
    with pytest.raises(ConfigError, match="there input_sha256 is"):
        begin(tmp_path)
    with pytest.raises(ConfigError, match=r"in\.jsonl has been changed since the job began"):
        make(job, [2])
    assert [job.parts.path(part).read_bytes() for part in (0, 1)] == before
    assert not job.parts.is_done(2)
    job.input.write_bytes(text)
    assert make(begin(tmp_path)) == NUM_PARTS - 2


def test_another_table_leaves_the_lines_of_the_first(tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_text("prompt\nthe\ncat\n")
    job = open_job(table, tmp_path / "out", MODEL)
    before = job.input.read_bytes()
    table.write_text("prompt\nthe\ndog\n")
    with pytest.raises(ConfigError, match="there input_sha256 is"):
        open_job(table, tmp_path / "out", MODEL)
    assert job.input.read_bytes() == before
    assert list(job.folder.glob(".*.partial")) == []


# The folder


def test_a_part_cut_short_is_told_and_made_again_once_it_is_deleted(
    done: Job, tmp_path: Path
) -> None:
    whole = bytes_of(done)
    path = done.parts.path(2)
    path.write_bytes(whole[2][:-30])
    with pytest.raises(ConfigError, match=r"part-000002.jsonl has \d+ bytes, of \d+ written: del"):
        begin(tmp_path)
    path.unlink()
    assert make(begin(tmp_path)) == 1
    assert bytes_of(done) == whole


def test_a_part_whose_bytes_were_changed_is_told(done: Job) -> None:
    path = done.parts.path(3)
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"part-000003.jsonl has been changed since it was wri"):
        summarize(done)


def test_a_part_that_holds_other_rows_than_it_should_is_told(done: Job) -> None:
    """Its file and its record agree, as those of a job with larger parts would."""
    record = json.loads(done.parts.record_path(3).read_text())
    done.parts.record_path(3).write_text(json.dumps({**record, "rows": 7}))
    with pytest.raises(ConfigError, match=r"part-000003.jsonl has been changed since it was wri"):
        summarize(done)


def with_refused(record: str) -> str:
    return json.dumps({**json.loads(record), "refused": "1"})


@pytest.mark.parametrize(
    "damage", [None, lambda _: "", lambda _: "{}", lambda _: '{"part": 1}', with_refused]
)
def test_a_part_without_its_record_is_told(damage: Any, done: Job, tmp_path: Path) -> None:
    record = done.parts.record_path(1)
    text = record.read_text()
    record.unlink()
    if damage is not None:
        record.write_text(damage(text))
    for look in (lambda: begin(tmp_path), lambda: summarize(done)):
        with pytest.raises(ConfigError, match=r"part-000001.jsonl has lost its record: delete it"):
            look()


def test_a_folder_with_parts_of_nobody_is_refused(done: Job, tmp_path: Path) -> None:
    (done.folder / NAME).unlink()
    with pytest.raises(ConfigError, match=r"part-000000.jsonl is no part of this job"):
        begin(tmp_path)
    assert len(bytes_of(done)) == NUM_PARTS
    assert not (done.folder / NAME).exists()


@pytest.mark.parametrize(
    "name", ["part-000006.jsonl", "part-000002.parquet", "part-000077.parquet"]
)
def test_a_part_of_another_job_among_ours_is_told(name: str, done: Job, tmp_path: Path) -> None:
    (done.folder / name).touch()
    with pytest.raises(
        ConfigError, match=f"{name} is no part of this job: give another folder, or"
    ):
        begin(tmp_path)


def test_another_version_of_foretell_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = begin(tmp_path)
    make(job, [0])
    monkeypatch.setattr(start, "__version__", "9.9")
    for go_on in (lambda: begin(tmp_path), lambda: join_job(job.input, job.folder, MODEL)):
        with pytest.raises(ConfigError, match=r"there foretell is '.*', here '9\.9'"):
            go_on()
    assert job.parts.done() == {0}


def test_whoever_joins_needs_a_job_of_the_same_model(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="has no job"):
        join_job(tmp_path / "in.jsonl", tmp_path / "out", MODEL)
    job = begin(tmp_path)
    assert join_job(job.input, job.folder, MODEL) == job
    with pytest.raises(ConfigError, match="there model is"):
        join_job(job.input, job.folder, {**MODEL, "sha256": "1"})


# The disk


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_full_disk_leaves_no_part(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, fails, full)
    with pytest.raises(ConfigError, match="No space left on device; what is done stays"):
        put(tmp_path / "part", b"x\n")
    assert list(tmp_path.iterdir()) == []


def failing_after(count: int, act: Callable[..., Any]) -> Callable[..., Any]:
    """The same, until the disk is full."""
    left = [count]

    def call(*arguments: Any) -> Any:
        left[0] -= 1
        return act(*arguments) if left[0] >= 0 else full()

    return call


@pytest.mark.parametrize("writes", [0, 1, 2, 3, 4, 7, 11, 12])
def test_a_disk_that_fills_ends_the_job_and_what_is_done_stays(
    writes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = begin(tmp_path, "whole")
    make(expected)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing_after(writes, os.fsync))
        with pytest.raises(ConfigError, match="No space left on device; what is done stays"):
            make(begin(tmp_path))
    assert list((tmp_path / "out").glob(".*.partial")) == []
    job = begin(tmp_path)
    there = job.parts.done()
    assert make(job) == NUM_PARTS - len(there)
    assert bytes_of(job) == bytes_of(expected)


# Others at the same folder


def test_two_drivers_on_one_folder_make_each_part_once(tmp_path: Path) -> None:
    expected = begin(tmp_path, "whole")
    make(expected)
    made: list[int] = []

    async def drive() -> None:
        async with toy() as llm:
            made.append(await run(begin(tmp_path), llm))

    threads = [threading.Thread(target=run_async, args=(drive,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    job = begin(tmp_path)
    assert len(made) == 2
    assert sum(made) == NUM_PARTS
    assert bytes_of(job) == bytes_of(expected)


def test_of_two_jobs_that_begin_in_one_folder_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_input(tmp_path / "in.jsonl")
    there = begin(tmp_path, "other", seed=1).folder / NAME
    scanned = start.scan

    def scan_while_another_begins(*arguments: Any) -> Any:
        (tmp_path / "out" / NAME).write_bytes(there.read_bytes())
        return scanned(*arguments)

    monkeypatch.setattr(start, "scan", scan_while_another_begins)
    with pytest.raises(ConfigError, match="there seed is 1, here 0"):
        begin(tmp_path)


def test_a_file_system_without_locks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise NotImplementedError("no flock")

    monkeypatch.setattr(parts.FileLock, "acquire", refuse)
    with pytest.raises(ConfigError, match="a file system without locks: give a folder in another"):
        begin(tmp_path)
