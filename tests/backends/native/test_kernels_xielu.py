"""xIELU on every instruction set, against float64."""

from __future__ import annotations

import numpy as np
import pytest
from support.kernel_bench import ISAS, UNIT, Bench, bits

from foretell.backends.native._core import OpKind

ROWS = 7
SIZES = np.array([0, 1e-30, 1e-9, 1e-6, 2e-6, 1e-4, 0.03, 0.49, 0.5, 0.51, 3, 88, 200, 1e10])
EDGES = np.concatenate([SIZES, -SIZES])
ON_EVERY_ISA = pytest.mark.parametrize("isa", ISAS)
WIDTHS = pytest.mark.parametrize("width", [1, 15, 16, 17, 64, 100])
CONSTANTS = pytest.mark.parametrize(
    "constants", [(0.8, 0.3, 0.5, -1e-6), (0.1, 2.5, 0.25, -1e-6), (1.5, 0.2, 0.5, -0.01)]
)


def run(isa, x, constants, threads=1, rows=None):
    bench = Bench(isa, ROWS, threads=threads)
    vector, width = bench.vector(np.array(constants)), x.shape[1]
    out = bench.op(OpKind.xielu, width, a=bench.input(x), vector=vector)
    return bench.finish(out, width).run(rows)


def operands(width):
    x = np.random.default_rng(width).standard_normal((ROWS, width), np.float32)
    x *= np.float32(4) ** np.arange(-4, ROWS - 4, dtype=np.float32)[:, None]
    count = min(width, len(EDGES))
    x[-1, :count] = EDGES[:count]
    return x


@ON_EVERY_ISA
@WIDTHS
@CONSTANTS
def test_against_float64(isa, width, constants):
    x = operands(width)
    p, n, b, e = np.float64(np.float32(constants))
    exact = np.float64(x)
    below = (n + b) * (np.expm1(np.minimum(exact, e)) - exact)
    bent, line = np.where(exact > 0, p * exact**2, below), b * exact
    error = np.abs(run(isa, x, constants) - (bent + line))
    np.testing.assert_array_less(error, 16 * UNIT * (np.abs(bent) + np.abs(line)) + 1e-37)


@WIDTHS
def test_same_bits_everywhere(width):
    x, constants, everything = operands(width), (0.8, 0.3, 0.5, -1e-6), np.arange(ROWS)
    expected = bits(run(ISAS[0], x, constants))
    for isa in ISAS:
        for threads in (1, 2, 3):
            result = run(isa, x, constants, threads, everything)
            np.testing.assert_array_equal(bits(result), expected, f"{isa}, {threads} threads")
    for rows in ([4], [6, 0, 3]):
        np.testing.assert_array_equal(bits(run(ISAS[-1], x, constants, 2, rows)), expected[rows])


@ON_EVERY_ISA
def test_what_is_not_a_number_stays_so(isa):
    bench = Bench(isa, ROWS)
    huge = bench.input(np.full((ROWS, 20), 1e30, np.float32))
    infinite = bench.op(OpKind.relu_squared, 20, a=huge)
    nan = bench.op(OpKind.add, 20, a=infinite, b=infinite, scalar=-1.0)
    vector = bench.vector(np.array([0.8, 0.3, 0.5, -1e-6]))
    out = bench.op(OpKind.xielu, 20, a=nan, vector=vector)
    assert np.isnan(bench.finish(out, 20).run()).all()


def test_other_than_four_constants_are_refused():
    with pytest.raises(ValueError, match="four constants"):
        run(ISAS[0], operands(16), (0.8, 0.3, 0.5))
