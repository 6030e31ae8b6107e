"""exp, log and powers against decimals, and inner products in their order."""

from __future__ import annotations

import ast
import math
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

from foretell.decoding import softmax
from foretell.decoding.fused.elementary import (
    exp,
    exp_of,
    expm1_of,
    largest_products,
    log,
    log_of,
    pow_of,
)


def ulps(found: float, exact: Decimal) -> float:
    """How far it is from the exact value, in units of its last place."""
    return float(abs(Decimal(found) - exact) / Decimal(math.ulp(found)))


def test_exp_is_within_2_ulp() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(-708, 709, 2000), rng.normal(0, 1e-3, 1000), [0.0, -0.0]])
    with localcontext(prec=40):
        assert max(ulps(y, Decimal(x).exp()) for x, y in zip(values, exp(values), strict=True)) < 2


def test_log_is_within_2_ulp() -> None:
    rng = np.random.default_rng(1)
    near = 1 + rng.normal(0, 1e-4, 2000)
    values = np.concatenate(
        [rng.uniform(0, 10, 2000), near, np.exp2(rng.uniform(-1074, 1023, 2000))]
    )
    with localcontext(prec=40):
        assert max(ulps(y, Decimal(x).ln()) for x, y in zip(values, log(values), strict=True)) < 2


def test_numbers_at_the_ends() -> None:
    assert exp_of(0.0) == 1.0
    assert exp_of(-709.0) == exp_of(-math.inf) == 0.0
    assert exp_of(709.5) == exp_of(math.inf) == math.inf
    assert log_of(1.0) == 0.0
    assert log_of(0.0) == -math.inf
    assert log_of(math.inf) == math.inf
    assert log_of(math.ulp(0.0)) == math.log(math.ulp(0.0))
    assert all(map(math.isnan, [exp_of(math.nan), log_of(math.nan), log_of(-1.0)]))


def test_powers_are_rounded_once() -> None:
    rng = np.random.default_rng(3)
    bases, exponents = rng.uniform(0, 50, 300).tolist(), rng.normal(0, 20, 300).tolist()
    with localcontext(prec=80):
        for base, exponent in zip(bases, exponents, strict=True):
            exact = (Decimal(base).ln() * Decimal(exponent)).exp()
            assert pow_of(base, exponent) == float(exact)
        for x in [*rng.normal(0, 9, 200).tolist(), *(10.0 ** rng.uniform(-20, 0, 200)).tolist()]:
            assert expm1_of(x) == float(Decimal(x).exp() - 1)


def test_powers_at_the_ends() -> None:
    assert [pow_of(2, n) for n in (-1074, -3, 0, 10)] == [math.ulp(0.0), 0.125, 1.0, 1024.0]
    assert [pow_of(0, n) for n in (-1.0, 0.0, 0.5)] == [math.inf, 1.0, 0.0]
    assert [pow_of(10, n) for n in (309, -400, 1e300, -1e300)] == [math.inf, 0.0, math.inf, 0.0]
    assert [pow_of(1, n) for n in (1e300, -0.5)] == [1.0, 1.0]
    assert [expm1_of(x) for x in (0.0, 1e-300, -1e3, 1e3)] == [0.0, 1e-300, -1.0, math.inf]
    assert [expm1_of(x) for x in (-math.inf, math.inf)] == [-1.0, math.inf]


def test_arrays_give_what_numbers_give_and_are_left_as_they_are() -> None:
    values = np.random.default_rng(2).uniform(0.1, 5, (3, 4))
    kept = values.copy()
    assert exp(values.T).tolist() == [[exp_of(x) for x in row] for row in values.T]
    assert log(values[:, ::2]).tolist() == [[log_of(x) for x in row] for row in values[:, ::2]]
    assert np.array_equal(values, kept)


@pytest.mark.parametrize("width", [1, 15, 16, 33, 576])
def test_largest_products_add_up_in_sixteen_sums(width: int) -> None:
    rng = np.random.default_rng(width)
    vectors, others = (rng.normal(size=(n, width)).astype(np.float32) for n in (7, 3))

    def product(a: np.ndarray, b: np.ndarray) -> np.float32:
        lanes = np.zeros(16, np.float32)
        for start in range(0, width, 16):
            some = a[start : start + 16] * b[start : start + 16]
            lanes[: len(some)] += some
        total = np.float32(0)
        for lane in lanes:
            total += lane
        return total

    wanted = [max(product(a, b) for a in vectors) for b in others]
    assert largest_products(vectors, others).tolist() == wanted
    exact = (others.astype(np.float64) @ vectors.T.astype(np.float64)).max(axis=1)
    assert np.allclose(wanted, exact, rtol=1e-5, atol=1e-5)


POWERS = {"exp", "exp2", "expm1", "pow", "power", "float_power"}
ELSEWHERE = POWERS | {"log", "log2", "log10", "log1p", "einsum", "dot", "matmul"}


def names_used(tree: ast.AST) -> set[str]:
    """`module.name` of what is taken from a module, and "@" for a product of matrices.

    "**" stands for a power whose exponent is a variable: one to a constant whole number is exact,
    or is a product.
    """
    found = {ast.unparse(one) for one in ast.walk(tree) if isinstance(one, ast.Attribute)}
    for one in ast.walk(tree):
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.MatMult):
            found.add("@")
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Pow):
            exponent = ast.unparse(one.right).lstrip("-")
            exact = exponent.isdecimal() or exponent.isupper() or "Decimal(" in ast.unparse(one)
            found |= set() if exact else {"**"}
    return found


def test_decoding_computes_by_no_others() -> None:
    files = sorted(Path(softmax.__file__).parent.rglob("*.py"))
    assert len(files) > 50
    others = {f"{module}.{name}" for module in ("np", "math") for name in ELSEWHERE}
    for path in files:
        assert names_used(ast.parse(path.read_text(encoding="utf-8"))).isdisjoint(
            others | {"@", "**"}
        ), path
