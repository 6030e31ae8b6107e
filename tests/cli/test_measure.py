"""The figures of `foretell bench`, on a scripted backend and a clock that the test sets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from foretell.backends.base import Batch
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.cli import measure
from foretell.cli.measure import Run, Spread, hash_logits, measure_speeds, peak_memory, run_once
from foretell.engine.engine import Engine
from foretell.errors import RequestError
from foretell.utils.arrays import Logits

VOCAB = 50
PROMPT = [3, 1, 4, 1, 5]


def scripted(**options: int) -> ScriptedBackend:
    return ScriptedBackend(improvise(VOCAB, seed=1), vocab_size=VOCAB, **options)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a quarter of a second each time it is read."""
    ticks: Iterator[int] = count()
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(ticks) / 4)


def test_spread() -> None:
    assert Spread.of([3.0, 1.0, 10.0]) == Spread(median=3.0, min=1.0, max=10.0)


def test_speeds_of_a_run() -> None:
    run = Run(num_prompt_tokens=6, seconds=[2.0, 2.5, 3.0, 3.5])
    assert run.prefill_tokens_per_second == 3.0
    assert run.decode_tokens_per_second == 2.0


@pytest.mark.usefixtures("clock")
def test_run_once_notes_when_each_token_comes() -> None:
    run = run_once(Engine(scripted()), PROMPT, 4)
    assert run == Run(num_prompt_tokens=5, seconds=[0.25, 0.5, 0.75, 1.0])


@pytest.mark.usefixtures("clock")
def test_measure_speeds() -> None:
    backend = scripted(max_batch_tokens=16)
    speeds = measure_speeds(backend, PROMPT, tokens=8, prompt_tokens=33, rounds=3)
    assert speeds.decode == Spread(4.0, 4.0, 4.0)
    assert speeds.prefill == Spread(132.0, 132.0, 132.0)
    assert speeds.time_to_first_token == Spread(0.25, 0.25, 0.25)
    assert speeds.bytes_per_token == 0  # a script has no weights
    assert speeds.decode_bytes_per_second == 0
    # four rounds of 33 prompt tokens (three batches), and of 5 with 7 decode steps
    assert [len(batch.tokens) for batch in backend.batches] == ([16, 16, 1] + [5] + [1] * 7) * 4


@pytest.mark.usefixtures("clock")
def test_bytes_read_by_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = scripted()
    info = replace(backend.info, weight_bytes=1000, kv_bytes_per_token=10)
    monkeypatch.setattr(ScriptedBackend, "info", info)
    speeds = measure_speeds(backend, PROMPT, tokens=8, prompt_tokens=5, rounds=1)
    assert speeds.bytes_per_token == 1000 + 10 * (5 + 4)  # the KV cache at half of the way
    assert speeds.decode_bytes_per_second == 4.0 * 1090


def test_a_prompt_that_does_not_fit() -> None:
    with pytest.raises(RequestError, match="the context has 256"):
        measure_speeds(scripted(), PROMPT, tokens=8, prompt_tokens=300, rounds=1)


def test_hash_is_that_of_the_rows_whatever_the_chunks() -> None:
    script = improvise(VOCAB, seed=1)
    rows = np.stack([script(tuple(PROMPT[: end + 1])) for end in range(len(PROMPT))])
    wanted = hashlib.sha256(rows.astype("<f4").tobytes()).hexdigest()
    assert hash_logits(scripted(), PROMPT) == wanted
    assert hash_logits(scripted(max_batch_tokens=2), PROMPT) == wanted
    assert hash_logits(scripted(), PROMPT[:-1]) != wanted


def test_hash_sees_one_bit() -> None:
    class Off(ScriptedBackend):
        def forward(self, batch: Batch) -> Logits:
            rows = super().forward(batch)
            rows.view(np.uint32)[0, 0] ^= 1
            return rows

    off = Off(improvise(VOCAB, seed=1), vocab_size=VOCAB)
    assert hash_logits(off, PROMPT) != hash_logits(scripted(), PROMPT)


def test_peak_memory_is_plausible() -> None:
    peak = peak_memory()
    assert peak is None or 10_000_000 < peak < 10**11
