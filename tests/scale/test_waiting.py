"""Parts that others are at are waited for, and made where these give up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.batches import begin, bytes_of, make

from foretell.scale import waiting
from foretell.scale.waiting import finish


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "INTERVAL", 0.01)


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_what_others_give_up_is_made(tmp_path: Path, held: ExitStack) -> None:
    job = begin(tmp_path)
    assert held.enter_context(job.parts.claim(2))
    made, told = [], []

    def give_up(num_parts: int) -> None:
        told.append(num_parts)
        held.close()

    finish(job, lambda: made.append(make(job)), give_up)
    assert (made, told) == ([5, 1], [1])
    assert list(job.missing()) == []


def test_what_others_do_is_waited_for(tmp_path: Path, held: ExitStack) -> None:
    whole = begin(tmp_path, "whole")
    make(whole)
    lines = bytes_of(whole)[2].splitlines(keepends=True)
    job = begin(tmp_path)
    assert held.enter_context(job.parts.claim(2))
    made: list[int] = []

    def do() -> None:
        job.parts.write(2, lines)

    finish(job, lambda: made.append(make(job)), lambda _: threading.Timer(0.05, do).start())
    assert made == [5]
    assert bytes_of(job) == bytes_of(whole)


def test_parts_of_other_shards_are_not(tmp_path: Path, held: ExitStack) -> None:
    job = begin(tmp_path, shard=(0, 2))
    assert held.enter_context(job.parts.claim(1))
    finish(job, lambda: make(job), pytest.fail)
    assert len(job.parts.done()) == 3
