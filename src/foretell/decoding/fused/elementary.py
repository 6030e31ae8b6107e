"""exp, log and inner products with the same bits on every machine (csrc/sampling/elementary.h).

numpy's and those of C libraries differ in their last bits with the processor and the library.
Whatever a choice or a reported number rests on is computed by these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foretell.decoding.fused import _sampling


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
