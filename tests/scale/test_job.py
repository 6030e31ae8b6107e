"""A job's parts: the same bytes whoever makes them, in whatever company, after any stop."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.batches import MODEL, begin, bytes_of, make, toy, write_input
from support.toy_async import run as run_async
from support.toy_async import scripted
from support.toy_chat import chatting_tokenizer

from foretell import AsyncLLM
from foretell.errors import ConfigError, ForetellError, ModelFileError
from foretell.scale import job as jobs
from foretell.scale.job import run
from foretell.scale.manifest import NAME, read_manifest
from foretell.scale.parts import Parts
from foretell.scale.rows import row_seed
from foretell.scale.start import open_job
from foretell.scale.summary import summarize


def test_every_row_has_one_answer_in_its_place(tmp_path: Path) -> None:
    job = begin(tmp_path)
    assert make(job) == 6
    answers = [json.loads(line) for text in bytes_of(job) for line in text.splitlines()]
    ids = [f"chat {n}" if n % 6 == 3 else f"row-{n + 1}" for n in range(40)] + ["row-41"]
    assert [answer["custom_id"] for answer in answers] == ids
    assert answers[0]["response"]["status_code"] == 200
    assert len(answers[5]["response"]["body"]["choices"]) == 2
    assert answers[3]["response"]["body"]["object"] == "chat.completion"
    assert "temperature=-1" in answers[4]["error"]["message"]
    assert "is not JSON" in answers[40]["error"]["message"]
    summary = summarize(job)
    assert (summary.answered, summary.refused, summary.is_complete) == (41, 7, True)
    usages = [answer["response"]["body"].get("usage", {}) for answer in answers]
    for name in ("prompt_tokens", "completion_tokens"):
        assert getattr(summary, name) == sum(usage.get(name, 0) for usage in usages) > 0


def test_parts_are_the_same_in_any_order_and_company(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begin(tmp_path, "one")
    make(first)
    second = begin(tmp_path, "two")
    monkeypatch.setattr(jobs, "ROWS_AHEAD", 3)
    for part in (5, 0, 3):
        assert make(second, [part]) == 1
    assert make(second) == 3
    assert bytes_of(first) == bytes_of(second)
    assert summarize(first).sha256 == summarize(second).sha256


def test_what_was_stopped_is_gone_on_with(tmp_path: Path) -> None:
    first = begin(tmp_path, "one")
    make(first)
    second = begin(tmp_path, "two")

    async def main() -> None:
        async with toy() as llm:
            under_way = asyncio.create_task(run(second, llm))
            while not second.parts.path(0).exists():
                await asyncio.sleep(0)
            under_way.cancel()
            with pytest.raises(asyncio.CancelledError):
                await under_way

    run_async(main)
    left = sorted(second.folder.glob(".part-*"))
    assert left == []
    assert make(begin(tmp_path, "two")) < 6
    assert bytes_of(first) == bytes_of(second)


def test_what_somebody_else_makes_is_left_to_them(tmp_path: Path) -> None:
    job = begin(tmp_path)
    with job.parts.claim(2) as is_ours:
        assert is_ours
        assert make(job) == 5
    assert list(job.missing()) == [2]


def test_a_part_that_is_there_is_nobodys_to_make(tmp_path: Path) -> None:
    """Somebody may have made it since it was found missing."""
    job = begin(tmp_path)
    assert make(job, [2]) == 1
    with job.parts.claim(2) as is_ours:
        assert not is_ours
    assert make(job, [2, 2]) == 0


def test_seeds_of_rows_follow_from_the_jobs(tmp_path: Path) -> None:
    told = []
    for seed in (0, 7):
        job = begin(tmp_path, f"seed {seed}", seed=seed)
        make(job)
        told.append(json.loads(bytes_of(job)[0].splitlines()[0])["response"]["body"])
        assert told[-1]["seed"] == row_seed(seed, "row-1")
    assert told[0]["choices"] != told[1]["choices"]


def test_no_part_is_begun_while_too_many_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, under_way, counts = Parts.write, list[None](), list[int]()

    def slowly(*arguments: Any) -> None:
        under_way.append(None)
        counts.append(len(under_way))
        time.sleep(0.1)
        write(*arguments)
        under_way.pop()

    monkeypatch.setattr(jobs, "ROWS_AHEAD", 3)
    monkeypatch.setattr(jobs, "MAX_UNWRITTEN", 1)
    monkeypatch.setattr(Parts, "write", slowly)
    assert make(begin(tmp_path)) == 6
    assert max(counts) <= 2  # the one that was under way ends


def test_a_failing_model_ends_the_job_and_is_no_rows_answer(tmp_path: Path) -> None:
    job = begin(tmp_path)

    def failing(history: tuple[int, ...]) -> NDArray[np.float32]:
        raise ZeroDivisionError

    async def main() -> None:
        async with AsyncLLM(scripted(failing), tokenizer=chatting_tokenizer()) as llm:
            with pytest.raises(ForetellError, match="ZeroDivisionError"):
                await run(job, llm)

    run_async(main)
    assert {0, 1, 2, 3, 4} <= {*job.missing()}  # the last has a broken line alone


def test_shards_share_the_parts(tmp_path: Path) -> None:
    begun = [begin(tmp_path, shard=(index, 4)) for index in range(4)]
    assert [list(job.missing()) for job in begun] == [[0, 4], [1, 5], [2], [3]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": 1}, "seed is 0, here 1"),
        ({"settings": {"temperature": 0.5}}, "settings is"),
        ({"output": "parquet"}, "output is 'jsonl'"),
    ],
)
def test_another_job_is_refused_in_a_folder(change: Any, reason: str, tmp_path: Path) -> None:
    begin(tmp_path)
    with pytest.raises(ConfigError, match=f"answers of another job: there {reason}"):
        begin(tmp_path, **change)


def test_another_input_or_model_is_refused(tmp_path: Path) -> None:
    job = begin(tmp_path)
    with pytest.raises(ConfigError, match="there model is"):
        open_job(job.input, job.folder, {**MODEL, "sha256": "1"}, part_rows=8)
    write_input(job.input, 39)
    with pytest.raises(ConfigError, match="there input_sha256 is"):
        begin(tmp_path)


def test_parts_keep_their_size_when_it_is_gone_on_with(tmp_path: Path) -> None:
    job = begin(tmp_path)
    again = open_job(job.input, job.folder, MODEL, part_rows=3)
    assert again.manifest == job.manifest


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 99}', '{"format": 1}', '{"format": 1, "offsets": 3}']
)
def test_a_damaged_manifest_is_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(ModelFileError, match=NAME):
        read_manifest(tmp_path)


@pytest.mark.parametrize("numbers", [{"part_rows": 0}, {"shard": (2, 2)}, {"shard": (0, 0)}])
def test_impossible_numbers_are_refused(numbers: Any, tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.jsonl")
    with pytest.raises(ConfigError, match="must be"):
        open_job(source, tmp_path / "out", MODEL, **numbers)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"temperature": -1}, "temperature=-1"),
        ({"max_time": 3}, "max_time=3 has no place in a job"),
        ({"stopping_criteria": [print]}, "stopping_criteria=.* must be plain data"),
    ],
)
def test_a_setting_that_is_none_is_refused_before_all_work(
    settings: Any, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=reason):
        begin(tmp_path, settings=settings)


def test_settings_are_the_same_however_they_were_written(tmp_path: Path) -> None:
    begin(tmp_path, settings={"stop": ("a", "b")})
    assert begin(tmp_path, settings={"stop": ["a", "b"]}).manifest.settings == {"stop": ["a", "b"]}


def test_what_the_killed_have_left_is_swept(tmp_path: Path) -> None:
    job = begin(tmp_path)
    records = job.folder / "records"
    records.mkdir()
    left = [
        job.folder / ".part-000001.jsonl.1234.ab.partial",
        records / ".000001.json.1234.ab.partial",
        job.folder / f".{NAME}.1234.ab.partial",
        job.folder / ".input.jsonl.1234.ab.partial",
    ]
    kept = [
        job.folder / ".part-000003.jsonl.1234.ab.partial",
        records / ".000003.json.1234.ab.partial",
        job.folder / ".input.jsonl.5678.ab.partial",
    ]
    for path in (*left, *kept):
        path.touch()
    for path in left[2:]:
        os.utime(path, (0, 0))  # nobody has written to it for long
    with job.parts.claim(3):
        begin(tmp_path)
    assert [path for path in (*left, *kept) if path.exists()] == kept
