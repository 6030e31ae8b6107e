"""exp, log, powers and inner products with the same bits on every machine.

numpy's and those of C libraries differ in their last bits with the processor and the library.
Whatever a choice or a reported number rests on is computed by these: in C++
(csrc/sampling/elementary.h), or by decimals where there are few.
"""

from __future__ import annotations

from decimal import Context, Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foretell.decoding.fused import _sampling

# Rounding to so many digits and then to float64 is rounding once; beyond them it is infinite.
DECIMALS = Context(prec=50, traps=[])
LEAST_EXPM1 = 2.0**-54  # of numbers nearer to 0, e^x - 1 is x in float64


def exp(x: ArrayLike) -> NDArray[np.float64]:
    """e^x of each number in float64, within 2 ulp; 0 below -708."""
    found = np.array(x, dtype=np.float64, order="C")
    _sampling.exp(found.reshape(-1))
    return found


def log(x: ArrayLike) -> NDArray[np.float64]:
    """ln x of each number in float64, within 2 ulp; -inf for 0, NaN below."""
    found = np.array(x, dtype=np.float64, order="C")
    _sampling.log(found.reshape(-1))
    return found


def exp_of(x: float) -> float:
    """e^x, as `exp`; inf above 709."""
    return _sampling.exp_of(x)


def log_of(x: float) -> float:
    """ln x, as `log`: unlike math.log it raises nothing."""
    return _sampling.log_of(x)


@lru_cache(maxsize=4096)
def pow_of(base: float, exponent: float) -> float:
    """base ** exponent rounded to float64, 0 and inf beyond it; 1 for an exponent of 0.

    Some 200 microseconds on a slow processor, the first time.

    Args:
        base: at least 0.
        exponent: any finite number.
    """
    if exponent == 0:
        return 1.0
    return float(DECIMALS.power(Decimal(base), Decimal(exponent)))


def expm1_of(x: float) -> float:
    """e^x - 1 rounded to float64, near 0 too; inf beyond it."""
    if abs(x) < LEAST_EXPM1:
        return x
    return float(DECIMALS.subtract(DECIMALS.exp(Decimal(x)), Decimal(1)))


def divergence(
    p: NDArray[np.float64], log_p: NDArray[np.float32], log_q: NDArray[np.float32]
) -> float:
    """How far two distributions are apart, as DoLa's authors take it (arXiv 2309.03883).

    They hold the mean m of both against the log-probabilities of each: Σ m · (ln m - (ln p + ln q)
    / 2), with ln m at least ln 1e-37, and the mean of the others at least -1e4. In float64.

    Args:
        p: `(vocab_size,)`, exp of the next.
        log_p: the first distribution's log-probabilities; -inf for what is ruled out.
        log_q: the other's.
    """
    return _sampling.divergence(p, log_p, log_q)


def largest_products(
    vectors: NDArray[np.float32], others: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The largest inner product of each of the others with any of the vectors, in float32.

    Args:
        vectors: `(count, width)`, at least one.
        others: `(others, width)`.

    Returns:
        `(others,)`.
    """
    largest = np.empty(len(others), np.float32)
    _sampling.largest_products(vectors, others, largest)
    return largest
