"""What a program refuses: batches and operations that name what is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.kernel_bench import ISAS, Bench, Cache, int32, make_program
from support.random_tensors import random_weights

from foretell.backends.native._core import OpKind
from foretell.formats.types import TensorType

VOCABULARY = 8
GOOD = {
    "tokens": [1, 2, 3, 4, 5],
    "positions": [0, 1, 2, 14, 15],
    "starts": [0, 3, 5],
    "block_tables": [[0], [3]],
    "logits_indices": [0, 4],
}


def copier():
    """A program that gives back the embedding of each token."""
    values = np.arange(VOCABULARY * 3, dtype=np.float32).reshape(VOCABULARY, 3)
    bench = Bench("plain", VOCABULARY, threads=2, cache=Cache(num_blocks=4))
    return bench.finish(bench.input(values), 3).program


def forward(program, **changes):
    return program.forward(**{name: int32(values) for name, values in (GOOD | changes).items()})


def test_rows_come_as_asked_for():
    np.testing.assert_array_equal(forward(copier()), [[3, 4, 5], [15, 16, 17]])
    assert forward(copier(), logits_indices=[]).shape == (0, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": [1, 2, 3, 4, VOCABULARY]}, "token id out of range"),
        ({"tokens": [-1, 2, 3, 4, 5]}, "token id out of range"),
        ({"tokens": [1, 2, 3, 4]}, "one position a token"),
        ({"positions": [0, 1, 3, 14, 15]}, "not consecutive"),
        ({"positions": [0, 1, 2, -1, 0]}, "not consecutive"),
        ({"positions": [0, 1, 2, 15, 16]}, "block table too short"),
        ({"positions": [0, 1, 2, 2**31 - 2, 2**31 - 1]}, "block table too short"),
        ({"starts": [0, 3, 4]}, "do not span"),
        ({"starts": [1, 3, 5]}, "do not span"),
        ({"starts": [0, 0, 5]}, "do not ascend"),
        ({"starts": [0, 2**31 - 1, 5]}, "do not ascend"),
        ({"starts": [0, -(2**31), 5]}, "do not ascend"),
        ({"starts": [0, 5]}, "one table a sequence"),
        ({"starts": [0], "block_tables": np.zeros((0, 1))}, "one table a sequence"),
        ({"block_tables": [[0], [4]]}, "KV block out of range"),
        ({"block_tables": [[-1], [0]]}, "KV block out of range"),
        ({"block_tables": np.zeros((2, 0))}, "block table too short"),
        ({"logits_indices": [5]}, "logits index out of range"),
        ({"logits_indices": [-1]}, "logits index out of range"),
        ({"logits_indices": [0] * 6}, "more logits asked for"),
    ],
)
def test_a_broken_batch_is_refused(changes, message):
    program = copier()
    with pytest.raises(ValueError, match=message):
        forward(program, **changes)
    np.testing.assert_array_equal(forward(program)[1], [15, 16, 17])


def test_too_many_tokens_are_refused():
    many = np.zeros(VOCABULARY + 1)
    with pytest.raises(ValueError, match="too many tokens"):
        forward(
            copier(),
            tokens=many,
            positions=np.arange(len(many)),
            starts=[0, len(many)],
            block_tables=[[0]],
        )


@pytest.mark.parametrize("pairs", [[(0, 4)], [(-1, 0)], [(0, 1), (4, 0)]])
def test_copying_what_does_not_exist_is_refused(pairs):
    with pytest.raises(ValueError, match="KV block out of range"):
        copier().copy_blocks(int32(pairs))


def test_a_block_comes_back_as_it_was():
    program = copier()
    data = np.random.default_rng(0).integers(0, 256, program.block_bytes).astype(np.uint8)
    program.write_block(3, data, 32)
    found = np.zeros_like(data)
    program.read_block(3, found)
    np.testing.assert_array_equal(found, data)
    program.read_block(2, found)
    assert not found.any()


@pytest.mark.parametrize(
    ("block", "more", "end", "message"),
    [
        (-1, 0, 16, "KV block out of range"),
        (4, 0, 16, "KV block out of range"),
        (0, 1, 16, "a KV block's bytes, all of them"),
        (0, -1, 16, "a KV block's bytes, all of them"),
        (0, 0, 0, "only a full block"),
        (0, 0, 15, "only a full block"),
        (0, 0, -16, "only a full block"),
    ],
)
def test_what_is_no_block_is_refused(block, more, end, message):
    program = copier()
    data = np.zeros(program.block_bytes + more, np.uint8)
    with pytest.raises(ValueError, match=message):
        program.write_block(block, data, end)
    if not message.startswith("only"):
        with pytest.raises(ValueError, match=message):
            program.read_block(block, data)


@pytest.mark.parametrize("index", [-1, 1, 2**31 - 1])
def test_reading_a_matrix_that_does_not_exist_is_refused(index):
    with pytest.raises(IndexError):
        copier().read_matrix(index)


@pytest.mark.parametrize(
    "operands",
    [{"a": 7}, {"b": 7}, {"c": 7}, {"codes": 0}, {"matrix": 1}, {"vector": 0}, {"layer": 1}],
    ids=str,
)
def test_an_operation_on_nothing_is_refused(operands):
    bench = Bench("plain", 1)
    x = bench.input(np.zeros((1, 16)))
    out = bench.op(OpKind.rms_norm, 16, **({"a": x} | operands))
    with pytest.raises(ValueError, match="that is not there"):
        bench.finish(out, 16)


@pytest.mark.parametrize(("rows", "cols"), [(16, 32), (32, 64)])
def test_a_product_of_another_shape_is_refused(rows, cols):
    bench = Bench("plain", 1)
    x = bench.input(np.zeros((1, 32)))
    data = random_weights(TensorType.Q8_0, rows, cols // 32, np.random.default_rng(0))
    out = bench.op(OpKind.linear, 32, a=x, matrix=bench.matrix(TensorType.Q8_0, data, cols))
    with pytest.raises(ValueError, match="shapes do not fit"):
        bench.finish(out, 32)


@pytest.mark.parametrize("head_dim", [8, 24, 2048])
def test_an_impossible_head_is_refused(head_dim):
    with pytest.raises(ValueError, match="head_dim must be a multiple of 16, at most 1024"):
        make_program("plain", cache=Cache(head_dim=head_dim))


def test_an_impossible_block_is_refused():
    with pytest.raises(ValueError, match="block_size must be a multiple of 16"):
        make_program("plain", cache=Cache(block_size=24))


def test_no_threads_or_tokens_are_refused():
    for sizes in ({"threads": 0}, {"rows": 0}):
        with pytest.raises(ValueError, match="must be at least 1"):
            make_program("plain", **sizes)


def test_an_unknown_instruction_set_is_refused():
    assert ISAS[-1] == "plain"
    with pytest.raises(ValueError, match="cannot run that instruction set"):
        make_program("avx1024")


def test_codes_come_in_groups_of_32():
    with pytest.raises(ValueError, match="multiples of 32"):
        make_program("plain").add_codes(48, False)


def test_a_call_beside_another_is_refused():
    """The lock of Python is not held in `forward`: a second thread gets as far as this."""
    bench = Bench("plain", VOCABULARY, threads=1, cache=Cache(num_blocks=4))
    hidden = bench.input(np.ones((VOCABULARY, 512), np.float32))
    for _ in range(200):
        hidden = bench.op(OpKind.silu_mul, 512, a=hidden, b=hidden)
    program = bench.finish(hidden, 512).program
    expected, refused = forward(program).copy(), []

    def call(_):
        try:
            return forward(program).copy()
        except RuntimeError as error:
            refused.append(str(error))

    with ThreadPoolExecutor(4) as pool:
        found = [rows for rows in pool.map(call, range(40)) if rows is not None]
    assert set(refused) == {"called while another call is under way"}
    assert all(np.array_equal(rows, expected) for rows in found)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer needs more memory than that")
def test_threads_that_the_system_does_not_start_are_an_error():
    program = """
import resource
from foretell.backends.native import _core
size = 2**31
resource.setrlimit(resource.RLIMIT_AS, (size, size))
try:
    _core.measure_bandwidth(1024)
except RuntimeError as error:
    assert "the system lets this process start only" in str(error), error
else:
    raise AssertionError("they were started")
_core.measure_bandwidth(2)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
