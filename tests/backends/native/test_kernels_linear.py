"""Matrix products on every instruction set, against float64; the same bits from all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from support.kernel_bench import ISAS, UNIT, Bench, bits
from support.random_tensors import (
    FLOATS,
    MATRICES,
    OWN,
    OWN_QUANTIZED,
    QUANTIZED,
    dequantize,
    minima,
    random_weights,
)

from foretell.backends.native._core import OpKind
from foretell.formats.types import BlockType, TensorType

GROUP = 32
EVERY = (*MATRICES, *OWN)
EVERY_QUANTIZED = (*QUANTIZED, *OWN_QUANTIZED)
COUNTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 17)
TOKENS = max(COUNTS)
BLOCKS = {1: 37, 32: 3, 64: 3, 128: 2, 256: 2}  # blocks in a row, by the block's length


def names(kind):
    return kind.name


@dataclass(frozen=True)
class Case:
    """One product: weights in the file's bytes, inputs, and what may be added to the result."""

    kind: BlockType
    data: np.ndarray
    x: np.ndarray
    bias: np.ndarray | None
    residual: np.ndarray | None

    @property
    def weights(self):
        return dequantize(self.kind, self.data).astype(np.float64)

    def plus_terms(self, products, sizes):
        """Add bias and residual to exact products, and their sizes to the sizes of the terms."""
        for term in (self.bias, self.residual):
            if term is not None:
                products = products + term
                sizes = sizes + np.abs(term)
        return products, sizes


def make_case(kind, rows, *, bias=False, residual=False, seed=0):
    rng = np.random.default_rng(seed)
    blocks = BLOCKS[kind.block_size]
    x = rng.standard_normal((TOKENS, blocks * kind.block_size), np.float32)
    x[:, ::7] *= 30  # a few inputs far larger than the rest, as in real models
    x[3] = 0
    x[5, :GROUP] = 0
    return Case(
        kind,
        random_weights(kind, rows, blocks, rng),
        x,
        rng.standard_normal(rows, np.float32) if bias else None,
        rng.standard_normal((TOKENS, rows), np.float32) if residual else None,
    )


def build(case, isa, *, int8, threads=1):
    """The product as a program, ready to run."""
    rows, cols = len(case.data), case.x.shape[1]
    bench = Bench(isa, TOKENS, threads=threads)
    x = bench.input(case.x)
    operands = {"a": x, "matrix": bench.matrix(case.kind, case.data, cols)}
    operands["vector"] = bench.vector(case.bias)
    if case.residual is not None:
        operands["b"] = bench.input(case.residual)
    if int8:
        operands["codes"] = bench.quantize(x, cols)
    return bench.finish(bench.op(OpKind.linear, rows, **operands), rows)


def exact_float(case):
    """The product of float activations, and the sum of its terms' sizes."""
    x = case.x.astype(np.float64)
    return case.plus_terms(x @ case.weights.T, np.abs(x) @ np.abs(case.weights).T)


def quantize_activations(x):
    """Codes and scales of groups of 32: scale = max|x| / 127, rounded half to even."""
    groups = x.reshape(len(x), -1, GROUP)
    largest = np.abs(groups).max(axis=-1, keepdims=True)
    inverse = np.divide(
        np.float32(127), largest, out=np.zeros_like(largest), where=largest > np.float32(0)
    )
    codes = np.rint(np.clip(groups * inverse, -127, 127))
    return codes.astype(np.int64), largest / np.float32(127)


def exact_int8(case):
    """The product of int8 activations, and the sum of its terms' sizes, minima apart."""
    codes, scales = quantize_activations(case.x)
    x = (codes * scales.astype(np.float64)).reshape(case.x.shape)
    sizes = np.abs(case.weights) + 2 * np.abs(minima(case.kind, case.data))
    return case.plus_terms(x @ case.weights.T, np.abs(x) @ sizes.T)


def assert_near(result, exact, allowed):
    np.testing.assert_array_less(np.abs(result - exact), allowed + 1e-30)


ROWS = pytest.mark.parametrize("rows", [1, 16, 33])
ON_EVERY_ISA = pytest.mark.parametrize("isa", ISAS)
EVERY_PRODUCT = pytest.mark.parametrize(
    ("kind", "int8"),
    [(kind, False) for kind in EVERY] + [(kind, True) for kind in EVERY_QUANTIZED],
    ids=lambda value: getattr(value, "name", "int8" if value else "float"),
)


@ON_EVERY_ISA
@ROWS
@pytest.mark.parametrize("kind", EVERY, ids=names)
def test_float_activations(isa, kind, rows):
    case = make_case(kind, rows)
    exact, sizes = exact_float(case)
    rounding = 2 * np.sqrt(case.x.shape[1]) * UNIT
    assert_near(build(case, isa, int8=False).run(), exact, rounding * sizes)


@ON_EVERY_ISA
@ROWS
@pytest.mark.parametrize("kind", EVERY_QUANTIZED, ids=names)
def test_int8_activations(isa, kind, rows):
    case = make_case(kind, rows)
    exact, sizes = exact_int8(case)
    groups = case.x.shape[1] // 16  # of weights, at most; each adds a scale's rounding and a sum's
    assert_near(build(case, isa, int8=True).run(), exact, (groups + 4) * UNIT * sizes)


@ON_EVERY_ISA
@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("terms", [(True, False), (False, True), (True, True)])
def test_bias_and_residual(isa, int8, terms):
    case = make_case(TensorType.Q4_1, 33, bias=terms[0], residual=terms[1])
    exact, sizes = exact_int8(case) if int8 else exact_float(case)
    result = build(case, isa, int8=int8).run()
    assert_near(result, exact, 2 * np.sqrt(case.x.shape[1]) * UNIT * sizes)


@ON_EVERY_ISA
@EVERY_PRODUCT
def test_a_row_does_not_depend_on_the_others(isa, kind, int8):
    bench = build(make_case(kind, 33, bias=True, residual=True), isa, int8=int8)
    whole = bits(bench.run())
    rng = np.random.default_rng(1)
    for count in COUNTS:
        rows = rng.permutation(TOKENS)[:count]
        np.testing.assert_array_equal(bits(bench.run(rows)), whole[rows], f"{count} tokens")


@EVERY_PRODUCT
@pytest.mark.parametrize("rows", [5, 49])
def test_all_instruction_sets_and_teams_give_the_same_bits(kind, rows, int8):
    case = make_case(kind, rows, bias=True, residual=True, seed=2)
    expected = bits(build(case, "plain", int8=int8).run())
    for isa in ISAS:
        for threads in (1, 2, 3):
            result = build(case, isa, int8=int8, threads=threads).run()
            np.testing.assert_array_equal(bits(result), expected, f"{isa}, {threads} threads")


@ON_EVERY_ISA
def test_extreme_codes_do_not_overflow(isa):
    """Largest codes times largest activations: where 16-bit pair sums would saturate."""
    for kind, byte in ((TensorType.Q8_0, 0x80), (TensorType.Q5_1, 0xFF), (TensorType.Q4_1, 0xFF)):
        data = np.full((16, 3 * kind.block_bytes), byte, np.uint8)
        blocks = data.reshape(16, 3, -1)
        blocks[..., :2] = np.array([1], np.float16).view(np.uint8)
        if kind is not TensorType.Q8_0:
            blocks[..., 2:4] = 0
        x = np.full((TOKENS, 96), 127, np.float32) * np.where(np.arange(TOKENS) % 2, 1, -1)[:, None]
        case = Case(kind, data, x.astype(np.float32), None, None)
        exact, _ = exact_int8(case)
        np.testing.assert_array_equal(build(case, isa, int8=True).run(), exact)


@ON_EVERY_ISA
def test_quantization_rounds_half_to_even(isa):
    """A diagonal of ones reads the codes back: every half from -126.5 to 126.5."""
    halves = np.arange(-126.5, 127.0, 1.0, np.float32)[: 31 * 8].reshape(8, 31)
    x = np.full((TOKENS, GROUP), 127, np.float32)
    x[:8, :31] = halves
    data = np.zeros((GROUP, 34), np.uint8)
    data[:, :2] = np.array([1], np.float16).view(np.uint8)
    data[np.arange(GROUP), 2 + np.arange(GROUP)] = 1
    result = build(Case(TensorType.Q8_0, data, x, None, None), isa, int8=True).run()
    np.testing.assert_array_equal(result, np.rint(x))


@ON_EVERY_ISA
@pytest.mark.parametrize("kind", FLOATS, ids=names)
def test_float_weights_refuse_int8_activations(isa, kind):
    case = make_case(kind, 16)
    case = Case(kind, case.data[:, : GROUP * kind.block_bytes], case.x[:, :GROUP], None, None)
    with pytest.raises(ValueError, match="float weights take float activations"):
        build(case, isa, int8=True)
