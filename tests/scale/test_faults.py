"""Whose fault it is that a row has no answer: the row's own, or the machine's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.batches import MODEL, bytes_of, make
from support.toy import VOCAB_SIZE
from support.toy_async import run as run_async
from support.toy_async import scripted
from support.toy_chat import chatting_tokenizer

from foretell import AsyncLLM
from foretell.backends.scripted import ScriptedBackend
from foretell.errors import ConfigError, KVPoolError
from foretell.scale.job import Job, run
from foretell.scale.start import open_job

SMALL = {"num_blocks": 16}
"""A pool of 64 positions, of a context of 256."""


def begin(tmp_path: Path, rows: list[Any], name: str = "out", **options: Any) -> Job:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_job(source, tmp_path / name, MODEL, part_rows=2, **options)


def answers(job: Job) -> list[Any]:
    return [json.loads(line) for data in bytes_of(job) for line in data.splitlines()]


def make_with(job: Job, backend: ScriptedBackend, **options: Any) -> None:
    async def main() -> None:
        async with AsyncLLM(backend, tokenizer=chatting_tokenizer(), **options) as llm:
            await run(job, llm)

    run_async(main)


def test_what_a_small_pool_cannot_hold_is_no_rows_answer(tmp_path: Path) -> None:
    rows = [{"prompt": "ab", "max_tokens": 3}] * 2 + [{"prompt": "ab", "max_tokens": 100}]
    job = begin(tmp_path, rows)
    with pytest.raises(KVPoolError, match="num_blocks=16 must be at least"):
        make(job, **SMALL)
    assert not job.parts.is_done(1)
    make(job)
    assert [answer["error"] for answer in answers(job)] == [None] * 3


def test_what_no_usual_pool_can_hold_is_the_rows_fault(tmp_path: Path) -> None:
    job = begin(tmp_path, [{"prompt": "ab", "max_tokens": 100, "n": 9}])
    make(job)
    assert "num_blocks=128 must be at least" in answers(job)[0]["error"]["message"]


def test_a_text_that_only_the_pool_has_ended_is_no_answer(tmp_path: Path) -> None:
    row = np.zeros(VOCAB_SIZE, np.float32)
    row[5] = 9.0
    job = begin(tmp_path, [{"messages": [{"role": "user", "content": "hi"}], "temperature": 0}])
    message = "end of the KV pool, 64 positions of the context's 256"
    with pytest.raises(KVPoolError, match=message):
        make_with(job, scripted(lambda history: row, **SMALL))
    make_with(job, scripted(lambda history: row))
    assert answers(job)[0]["response"]["body"]["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.5}])
def test_a_library_that_is_missing_is_no_rows_answer(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = begin(tmp_path, [{"prompt": "x", "regex": "a+", "max_tokens": 4}], settings=settings)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "llguidance", None)
        with pytest.raises(ConfigError, match="structured output needs llguidance: pip install"):
            make(job)
    make(job)
    assert answers(job)[0]["error"] is None


def test_receipts_are_the_same_however_tokens_were_guessed(tmp_path: Path) -> None:
    rows = [{"prompt": "ab ab ab", "max_tokens": 5, "temperature": 0, "return_receipt": True}]
    found = []
    guesses: dict[str, Any] = {"plain": None, "guessing": "lookup"}
    for name, guess in guesses.items():
        job = begin(tmp_path, rows, name)
        make_with(job, scripted(), speculation=guess)
        found.append(bytes_of(job))
    assert found[0] == found[1]
    assert b'"speculation":"auto"' in found[0][0]
