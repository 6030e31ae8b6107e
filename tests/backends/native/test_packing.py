"""Packed weights, read back: bit for bit what `gguf.dequantize` makes of the same bytes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from support.kernel_bench import ISAS, bits, make_program
from support.random_tensors import (
    E8M0_INFINITE,
    EXPONENTS,
    FLOATS,
    HALVES,
    MATRICES,
    OWN,
    OWN_QUANTIZED,
    QUANTIZABLE,
    QUANTIZED,
    dequantize,
    put_halves,
    quantize,
    random_bits,
)

from foretell.formats.types import FolderType, TensorType

ROWS = (1, 15, 16, 17, 33)
EVERY = (*MATRICES, *OWN)
EVERY_QUANTIZED = (*QUANTIZED, *OWN_QUANTIZED)
KINDS = pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.name)


def read_back(isa, kind, data, cols, threads=1):
    program = make_program(isa, threads=threads)
    index = program.add_matrix(kind.ggml_id, data.reshape(-1), len(data), cols)
    if program.pack() == index:
        raise ValueError("it holds NaN or infinite weights")
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
    cols = max(96, kind.block_size)
    weights = np.random.default_rng(0).standard_normal((33, cols), np.float32)
    data = quantize(kind, weights)
    values = read_back(isa, kind, data, cols)
    np.testing.assert_array_equal(bits(values), bits(dequantize(kind, data)))
    crude = kind.name.startswith("TQ")  # most weights become 0
    assert np.abs(values - weights).mean() < (0.7 if crude else 0.2)


@pytest.mark.parametrize("isa", ISAS)
def test_matrices_of_one_program_do_not_touch(isa):
    rng = np.random.default_rng(0)
    program = make_program(isa, threads=2)
    tensors = [(kind, random_bits(kind, 17, 2, rng)) for kind in EVERY]
    places = [
        program.add_matrix(kind.ggml_id, data.reshape(-1), 17, 2 * kind.block_size)
        for kind, data in tensors
    ]
    assert program.pack() == -1
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


@pytest.mark.parametrize("isa", ISAS)
def test_every_float8_comes_back(isa):
    data = np.zeros((2, 132), np.uint8)
    data[:, :4] = np.array([[1.0], [-3e30]], np.float32).view(np.uint8)
    for first in (0, 128):
        data[:, 4:] = np.arange(first, first + 128)
        data[:, 4 + 127] = 0
        values = read_back(isa, FolderType.E4M3_128, data, 128)
        np.testing.assert_array_equal(bits(values), bits(dequantize(FolderType.E4M3_128, data)))


@pytest.mark.parametrize("code", [0x7F, 0xFF])
@pytest.mark.parametrize("scale", [1.0, np.nan, np.inf, 1e37])
def test_float8_that_is_not_finite_is_refused(code, scale):
    data = random_bits(FolderType.E4M3_128, 17, 2, np.random.default_rng(0)).reshape(17, 2, -1)
    data[16, 1, 4 + 127] = code if scale == 1 else 0x7E
    data[16, 1, :4] = np.array([scale], np.float32).view(np.uint8)
    with pytest.raises(ValueError, match="holds NaN or infinite weights"):
        read_back("plain", FolderType.E4M3_128, data.reshape(17, -1), 256, threads=2)


@pytest.mark.parametrize(
    ("kind", "at"),
    [(kind, at) for kind in EVERY_QUANTIZED for at in HALVES.get(kind, ())],
    ids=lambda value: getattr(value, "name", value),
)
@pytest.mark.parametrize("half", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("place", [(0, 0), (16, 1)])
def test_infinite_and_nan_scales_are_refused(kind, at, half, place):
    data = random_bits(kind, 17, 2, np.random.default_rng(0))
    block = data.reshape(17, 2, -1)[place]
    put_halves(kind, block, at, np.float16(half).view(np.uint16))
    with pytest.raises(ValueError, match="holds NaN or infinite weights"):
        read_back("plain", kind, data, 2 * kind.block_size, threads=2)


@pytest.mark.parametrize("kind", EVERY_QUANTIZED, ids=lambda kind: kind.name)
@pytest.mark.parametrize("byte", [0x00, 0xFF, 0x55, 0xAA, 0x7F, 0x80])
@pytest.mark.parametrize("half", [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xFBFF])
def test_extreme_bits_come_back_exactly(kind, byte, half):
    """The smallest and largest scales, zeros of both signs among them, and codes all alike."""
    data = np.full((17, 2, kind.block_bytes), byte, np.uint8)
    for at in HALVES.get(kind, ()):
        put_halves(kind, data, at, np.full((17, 2), half, np.uint16))
    if kind is TensorType.MXFP4:
        data[..., 0] = (0, 1) if half < 0x7000 else (E8M0_INFINITE - 1, 127)
    data = data.reshape(17, -1)
    for isa in ISAS:
        values = read_back(isa, kind, data, 2 * kind.block_size)
        np.testing.assert_array_equal(bits(values), bits(dequantize(kind, data)))


GRIDS = [kind for kind in QUANTIZED if kind.name.startswith(("IQ1", "IQ2", "IQ3"))]


@pytest.mark.parametrize("kind", GRIDS, ids=lambda kind: kind.name)
def test_every_point_of_the_grids_comes_back(kind):
    """So many random indices that none of 2,048 is missing, but once in a million times."""
    data = random_bits(kind, 512, 3, np.random.default_rng(0))
    values = read_back(ISAS[0], kind, data, 3 * kind.block_size, threads=2)
    np.testing.assert_array_equal(bits(values), bits(dequantize(kind, data)))


@pytest.mark.parametrize(
    ("scale", "codes"), [(255, 0x00), (255, 0x11), (254, 0x44), (253, 0x77), (253, 0xFF)]
)
@pytest.mark.parametrize("place", [(0, 0), (16, 1)])
def test_e8m0_scales_that_are_nan_or_overflow_are_refused(scale, codes, place):
    data = random_bits(TensorType.MXFP4, 17, 2, np.random.default_rng(0)).reshape(17, 2, -1)
    data[place] = codes
    data[place][0] = scale
    with pytest.raises(ValueError, match="holds NaN or infinite weights"):
        read_back("plain", TensorType.MXFP4, data.reshape(17, -1), 64, threads=2)


@pytest.mark.parametrize(("scale", "codes"), [(254, 0x33), (253, 0x55), (254, 0x00), (252, 0x7F)])
def test_e8m0_scales_that_do_not_overflow_are_read(scale, codes):
    data = np.full((3, 17), codes, np.uint8)
    data[:, 0] = scale
    for isa in ISAS:
        values = read_back(isa, TensorType.MXFP4, data, 32)
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(bits(values), bits(dequantize(TensorType.MXFP4, data)))


@pytest.mark.parametrize("kind", EVERY_QUANTIZED, ids=lambda kind: kind.name)
def test_bytes_of_noise_are_read_exactly_or_refused(kind):
    rng = np.random.default_rng(0)
    for _ in range(100):
        data = rng.integers(0, 256, (rng.integers(1, 20), kind.block_bytes), dtype=np.uint8)
        with np.errstate(all="ignore"):
            expected = dequantize(kind, data)
        if np.isfinite(expected).all():
            values = read_back("plain", kind, data, kind.block_size)
            np.testing.assert_array_equal(bits(values), bits(expected))
        else:
            with pytest.raises(ValueError, match="holds NaN or infinite weights"):
                read_back("plain", kind, data, kind.block_size)


# What takes more than 1.04 times the file: codes that the file has in base 3, or as numbers of the
# points of a grid.
LARGER = {
    TensorType.TQ1_0: 1.23,
    TensorType.IQ3_S: 1.26,
    TensorType.IQ2_S: 1.40,
    TensorType.IQ3_XXS: 1.41,
    TensorType.IQ1_S: 1.48,
    TensorType.IQ2_XS: 1.55,
    TensorType.IQ2_XXS: 1.61,
    TensorType.IQ1_M: 2.04,
}


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_that_is_damaged_is_told(threads):
    program = make_program("plain", threads=threads)
    good, bad = np.ones((40, 4), np.float32), np.ones((40, 4), np.float32)
    bad[39, 3] = np.nan
    indices = [
        program.add_matrix(TensorType.F32.ggml_id, data.view(np.uint8).reshape(-1), 40, 4)
        for data in (good, bad, good, bad)
    ]
    assert program.pack() == indices[1]
    assert program.pack() == -1


def test_bytes_are_held_until_they_are_packed_and_no_longer():
    program = make_program("plain")
    data = np.ones(128, np.uint8)
    before = sys.getrefcount(data)
    program.add_matrix(TensorType.F32.ggml_id, data, 1, 32)
    assert sys.getrefcount(data) > before
    program.pack()
    assert sys.getrefcount(data) == before


@KINDS
def test_packed_weights_take_no_more_than_the_file(kind):
    """A whole number of blocks of sixteen rows, so that nothing is filled up."""
    data = random_bits(kind, 32, 3, np.random.default_rng(0))
    program = make_program("plain")
    index = program.add_matrix(kind.ggml_id, data.reshape(-1), 32, 3 * kind.block_size)
    assert program.matrix_bytes(index) <= LARGER.get(kind, 1.04) * data.nbytes


@KINDS
@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_number_of_bytes_is_refused(kind, change):
    data = np.zeros(3 * kind.block_bytes + change, np.uint8)
    with pytest.raises(ValueError, match="bytes do not match"):
        make_program("plain").add_matrix(kind.ggml_id, data, 3, kind.block_size)


@KINDS
def test_blocks_are_as_long_as_the_readers_of_files_have_them(kind):
    """The sizes stand in formats/types.py and in csrc/weights/file_types.cpp."""
    program = make_program("plain")
    data = np.zeros(3 * kind.block_bytes, np.uint8)
    for cols in range(1, kind.block_size):
        with pytest.raises(ValueError, match=f"impossible shape of the {kind.name} matrix"):
            program.add_matrix(kind.ggml_id, data, 3, cols)
    program.add_matrix(kind.ggml_id, data, 3, kind.block_size)


# The last ones have as many bytes as there are if their product wraps around at 2^64.
IMPOSSIBLE = [(0, 32), (1, 0), (-1, 32), (1, 31), (1, 33), (2**62, 64), (2**40, 2**62), (64, 2**62)]


@pytest.mark.parametrize("size", [0, 18])
@pytest.mark.parametrize("shape", IMPOSSIBLE)
@pytest.mark.parametrize("method", ["add_matrix", "add_file_rows"])
def test_an_impossible_shape_is_refused(size, shape, method):
    add = getattr(make_program("plain"), method)
    with pytest.raises(ValueError, match="shape"):
        add(TensorType.Q4_0.ggml_id, np.zeros(size, np.uint8), *shape)


@pytest.mark.parametrize("ggml_id", [4, 9, 15, 24, 28, 31, -1, 10_000])
def test_an_unknown_type_is_refused(ggml_id):
    with pytest.raises(ValueError, match="unknown ggml type"):
        make_program("plain").add_matrix(ggml_id, np.zeros(32, np.uint8), 1, 32)
