"""Operations on heads by themselves: rows that are joined, products with a head's own matrix."""

from __future__ import annotations

import numpy as np
import pytest
from support.kernel_bench import ISAS, Bench, bits
from support.random_tensors import dequantize, random_weights

from foretell.backends.native._core import OpKind
from foretell.formats.types import TensorType

TOKENS, HEADS, DIM, COLS, ROWS = 37, 5, 80, 64, 48
ON_EVERY_ISA = pytest.mark.parametrize("isa", ISAS)
KINDS = pytest.mark.parametrize(
    "kind",
    [TensorType.F32, TensorType.BF16, TensorType.Q8_0, TensorType.Q4_0],
    ids=lambda kind: kind.name,
)


def random_rows(width, seed=0):
    return np.random.default_rng(seed).standard_normal((TOKENS, width)).astype(np.float32)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("has_more", [True, False])
def test_each_head_has_its_values_then_the_others(threads, has_more):
    x, more = random_rows(HEADS * 7), random_rows(HEADS * 3, seed=1)
    bench = Bench("plain", TOKENS, threads=threads)
    b = bench.input(more) if has_more else -1
    out = bench.op(OpKind.join_heads, HEADS * 10, a=bench.input(x), b=b, heads=HEADS)
    parts = [x.reshape(TOKENS, HEADS, 7), more.reshape(TOKENS, HEADS, 3) * has_more]
    expected = np.concatenate(parts, axis=2).reshape(TOKENS, -1)
    np.testing.assert_array_equal(bench.finish(out, HEADS * 10).run(), expected)


def products(isa, kind, *, int8, threads=1):
    """Each head's own product, and what it should be, in float64."""
    rng = np.random.default_rng(0)
    x = random_rows(HEADS * DIM)
    data = random_weights(kind, HEADS * ROWS, COLS // kind.block_size, rng)
    bench = Bench(isa, TOKENS, threads=threads)
    codes = {"codes": bench.program.add_codes(HEADS * COLS, False)} if int8 else {}
    out = bench.op(
        OpKind.linear_heads,
        HEADS * ROWS,
        a=bench.input(x),
        matrix=bench.matrix(kind, data, COLS),
        heads=HEADS,
        **codes,
    )
    own = dequantize(kind, data).reshape(HEADS, ROWS, COLS).astype(np.float64)
    taken = x.reshape(TOKENS, HEADS, DIM)[..., :COLS].astype(np.float64)
    expected = np.einsum("hrc,nhc->nhr", own, taken).reshape(TOKENS, -1)
    return bench.finish(out, HEADS * ROWS), expected


@ON_EVERY_ISA
@KINDS
def test_each_head_has_a_matrix_of_its_own(isa, kind):
    bench, expected = products(isa, kind, int8=False)
    np.testing.assert_allclose(bench.run(), expected, atol=2e-6 * np.abs(expected).max())


@ON_EVERY_ISA
@pytest.mark.parametrize("kind", [TensorType.Q8_0, TensorType.Q4_0], ids=lambda kind: kind.name)
def test_products_of_codes(isa, kind):
    bench, expected = products(isa, kind, int8=True)
    np.testing.assert_allclose(bench.run(), expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize(("kind", "int8"), [(TensorType.Q4_0, True), (TensorType.F32, False)])
def test_bits_depend_on_nothing_but_the_token(kind, int8):
    expected = products(ISAS[0], kind, int8=int8)[0].run()
    for isa in ISAS:
        for threads in (1, 2, 3, 7):
            bench, _ = products(isa, kind, int8=int8, threads=threads)
            order = np.random.default_rng(threads).permutation(TOKENS)
            for rows in (order, order[:1], order[:5], order[::-1][:17]):
                np.testing.assert_array_equal(bits(bench.run(rows)), bits(expected[rows]))


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (OpKind.join_heads, {"heads": 0}, "heads have parts of a row"),
        (OpKind.join_heads, {"heads": 3}, "heads have even parts of a row"),
        (OpKind.join_heads, {"b": 0}, "does not fill its rows"),
        (OpKind.linear_heads, {"heads": 8}, "whole blocks of rows"),
        (OpKind.linear_heads, {"heads": 4}, "values of that head alone"),
        (OpKind.linear_heads, {"codes": 0}, "codes do not fit"),
    ],
)
def test_what_does_not_fit_is_refused(kind, changes, message):
    bench = Bench("plain", 2)
    a = bench.input(np.zeros((2, 64)))
    matrix = bench.matrix(TensorType.Q8_0, np.zeros((64, 34), np.uint8), 32)
    bench.program.add_codes(32, False)
    operands = {"a": a, "heads": 2, "matrix": matrix} | changes
    out = bench.op(kind, 64, **operands)
    with pytest.raises(ValueError, match=message):
        bench.finish(out, 64)
