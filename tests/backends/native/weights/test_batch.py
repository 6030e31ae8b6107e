"""Matrices packed many at a time, and read ahead of that: in order, told, and forgotten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.kernel_bench import make_program

from foretell.backends.native.weights import batch as batches
from foretell.backends.native.weights import read_ahead
from foretell.backends.native.weights.batch import PackingBatch, StoredMatrix
from foretell.backends.native.weights.read_ahead import ReadAhead
from foretell.errors import ModelFileError
from foretell.formats.types import TensorType

F32 = TensorType.F32


class Packing:
    """A batch, and what happens to it, in order."""

    def __init__(self) -> None:
        self.log: list[object] = []
        self.program = make_program("plain")
        self.batch = PackingBatch(self.log.append)

    def add(self, name: str, rows: int, value: float = 1.0) -> int:
        data = np.full((rows, 4), value, np.float32).view(np.uint8).reshape(-1)
        matrix = StoredMatrix(Path("m.gguf"), name, F32, rows, 4)
        forget = lambda: self.log.append(name)  # noqa: E731
        return self.batch.add(self.program, matrix, data, F32, forget)

    def leave(self, name: str, values: np.ndarray) -> int:
        rows, cols = values.shape
        matrix = StoredMatrix(Path("m.gguf"), name, F32, rows, cols)
        data = values.view(np.uint8).reshape(-1)
        return self.batch.leave(self.program, matrix, data, lambda: self.log.append(name))


def test_matrices_are_packed_once_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 64)
    packing = Packing()
    a = packing.add("a", 3, 2.0)
    assert packing.log == []
    b = packing.add("b", 1, 3.0)
    assert packing.log == ["a", 48, "b", 16]
    c = packing.add("c", 1, 4.0)
    packing.batch.pack(packing.program)
    assert packing.log == ["a", 48, "b", 16, "c", 16]
    packing.batch.pack(packing.program)
    values = [packing.program.read_matrix(index)[0, 0] for index in (a, b, c)]
    assert values == [2.0, 3.0, 4.0]


def test_the_first_damaged_matrix_is_named() -> None:
    packing = Packing()
    for name, value in {"a": 1.0, "b": np.inf, "c": np.nan}.items():
        packing.add(name, 20, value)
    with pytest.raises(ModelFileError, match=r"^m.gguf: tensor 'b' holds NaN or infinite weights$"):
        packing.batch.pack(packing.program)


def test_rows_that_stay_in_the_file_are_checked_some_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 64)
    packing = Packing()
    assert packing.leave("a", np.ones((10, 4), np.float32)) == 0
    assert packing.leave("b", np.ones((1, 40), np.float32)) == 1
    assert packing.log == [64, 64, 32, "a", 160, "b"]


@pytest.mark.parametrize("row", range(10))
def test_a_row_that_is_damaged_ends_it(monkeypatch: pytest.MonkeyPatch, row: int) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 64)
    packing = Packing()
    values = np.ones((10, 4), np.float32)
    values[row, 3] = np.inf
    with pytest.raises(ModelFileError, match=r"^m.gguf: tensor 'a' holds NaN or infinite weights$"):
        packing.leave("a", values)
    assert packing.log == [64] * (row // 4)


def test_whoever_is_told_may_end_it() -> None:
    """As Ctrl-C does, and a tokenizer that is damaged."""

    def stop(num_bytes: int) -> None:
        raise KeyboardInterrupt

    packing = Packing()
    packing.batch = PackingBatch(stop)
    with pytest.raises(KeyboardInterrupt):
        packing.leave("a", np.ones((10, 4), np.float32))
    assert packing.log == []


def test_a_window_is_asked_for_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "WINDOW", 100)
    asked: list[str] = []
    tensors = {"a": 60, "b": 60, "c": 500, "d": 10, "e": 10}
    ahead = ReadAhead(tensors.items(), asked.append)
    assert asked == ["a", "b"]
    ahead.packed(60)
    assert asked == ["a", "b", "c"]
    ahead.packed(60)
    assert asked == ["a", "b", "c"]
    ahead.packed(500)
    assert asked == ["a", "b", "c", "d", "e"]
    ahead.packed(20)
    assert asked == list(tensors)
