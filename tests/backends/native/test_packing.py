"""Packed weights, read back: bit for bit what `gguf.dequantize` makes of the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from support.kernel_bench import ISAS, bits, make_program
from support.random_tensors import (
    EXPONENTS,
    FLOATS,
    HALVES,
    QUANTIZABLE,
    QUANTIZED,
    dequantize,
    quantize,
    random_bits,
)

from foretell.formats.types import TensorType

ROWS = (1, 15, 16, 17, 33)
KINDS = pytest.mark.parametrize("kind", TensorType, ids=lambda kind: kind.name)


def read_back(isa, kind, data, cols, threads=1):
    program = make_program(isa, threads=threads)
    index = program.add_matrix(kind.ggml_id, data.reshape(-1), len(data), cols)
    return program.read_matrix(index)


@KINDS
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_any_bits_come_back_exactly(isa, kind, blocks):
    rng = np.random.default_rng(blocks)
    for rows in ROWS:
        data = random_bits(kind, rows, blocks, rng)
        values = read_back(isa, kind, data, blocks * kind.block_size, threads=blocks)
        assert values.shape == (rows, blocks * kind.block_size)
        np.testing.assert_array_equal(bits(values), bits(dequantize(kind, data)))


@pytest.mark.parametrize("kind", QUANTIZABLE, ids=lambda kind: kind.name)
@pytest.mark.parametrize("isa", ISAS)
def test_quantized_weights_come_back_exactly(isa, kind):
    weights = np.random.default_rng(0).standard_normal((33, 96), np.float32)
    data = quantize(kind, weights)
    values = read_back(isa, kind, data, 96)
    np.testing.assert_array_equal(bits(values), bits(dequantize(kind, data)))
    assert np.abs(values - weights).mean() < 0.2


@pytest.mark.parametrize("isa", ISAS)
def test_matrices_of_one_program_do_not_touch(isa):
    rng = np.random.default_rng(0)
    program = make_program(isa, threads=2)
    tensors = [(kind, random_bits(kind, 17, 2, rng)) for kind in TensorType]
    places = [
        program.add_matrix(kind.ggml_id, data.reshape(-1), 17, 2 * kind.block_size)
        for kind, data in tensors
    ]
    for (kind, data), place in zip(tensors, places, strict=True):
        expected = bits(dequantize(kind, data))
        np.testing.assert_array_equal(bits(program.read_matrix(place)), expected, kind.name)


@pytest.mark.parametrize("kind", FLOATS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("fraction", [0, 1])
@pytest.mark.parametrize("place", [(0, 0), (16, 4), (8, 2)])
def test_infinite_and_nan_weights_are_refused(kind, fraction, place):
    word, exponent = EXPONENTS[kind]
    data = random_bits(kind, 17, 5, np.random.default_rng(0))
    data.view(word)[place] = exponent | fraction
    with pytest.raises(ValueError, match="holds NaN or infinite weights"):
        read_back("plain", kind, data, 5, threads=2)


@pytest.mark.parametrize(
    ("kind", "at"),
    [(kind, at) for kind in QUANTIZED for at in HALVES[kind]],
    ids=lambda value: getattr(value, "name", value),
)
@pytest.mark.parametrize("half", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("place", [(0, 0), (16, 1)])
def test_infinite_and_nan_scales_are_refused(kind, at, half, place):
    data = random_bits(kind, 17, 2, np.random.default_rng(0))
    block = data.reshape(17, 2, -1)[place]
    block[at : at + 2] = np.array([half], np.float16).view(np.uint8)
    with pytest.raises(ValueError, match="holds NaN or infinite weights"):
        read_back("plain", kind, data, 2 * kind.block_size, threads=2)


@KINDS
def test_packed_weights_take_no_more_than_the_file(kind):
    """A whole number of blocks of sixteen rows, so that nothing is filled up."""
    data = random_bits(kind, 32, 3, np.random.default_rng(0))
    program = make_program("plain")
    index = program.add_matrix(kind.ggml_id, data.reshape(-1), 32, 3 * kind.block_size)
    assert program.matrix_bytes(index) <= 1.04 * data.nbytes


@KINDS
@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_number_of_bytes_is_refused(kind, change):
    data = np.zeros(3 * kind.block_bytes + change, np.uint8)
    with pytest.raises(ValueError, match="bytes do not match"):
        make_program("plain").add_matrix(kind.ggml_id, data, 3, kind.block_size)


@pytest.mark.parametrize("shape", [(0, 32), (1, 0), (-1, 32), (1, 31), (1, 33), (2**62, 64)])
def test_an_impossible_shape_is_refused(shape):
    data = np.zeros(18, np.uint8)
    with pytest.raises(ValueError, match="shape"):
        make_program("plain").add_matrix(TensorType.Q4_0.ggml_id, data, *shape)


@pytest.mark.parametrize("ggml_id", [4, 15, 16, 28, -1, 10_000])
def test_an_unknown_type_is_refused(ggml_id):
    with pytest.raises(ValueError, match="unknown ggml type"):
        make_program("plain").add_matrix(ggml_id, np.zeros(32, np.uint8), 1, 32)
