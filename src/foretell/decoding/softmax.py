"""Softmax and entropy in float64, for reports; and sums of exp(logits) in integers, for choices.

What is kept and drawn rests on integer weights round(exp(x - max) · 2^44). Their sums are exact in
any order, and exp is a table and a polynomial of plain multiplies and adds: so the C++ twin
(csrc/sampling/exp.h) and every instruction set choose the same tokens, bit for bit. A row may have
up to 2^19 - 1 logits, or the sums could overflow.

A vocabulary is walked block by block: the float64 copies of one block stay in the cache, while
those of 262,144 logits would take fresh pages each time, which cost more than the arithmetic.
"""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from foretell.decoding.fused import elementary
from foretell.errors import NumericalError
from foretell.utils.arrays import Logits

BLOCK = 8192
Weights = NDArray[np.int64]

WEIGHT_BITS = 44
LOWEST = -64.0  # exp of this, or of less, rounds to weight 0
STEPS = 64  # powers of two in the table, from 2^0 to 2^1
STEPS_PER_E = float.fromhex("0x1.71547652b82fep+6")  # 64 / ln 2
STEP_HIGH = float.fromhex("0x1.62e42fee00000p-7")  # ln 2 / 64 in two parts: times a small
STEP_LOW = float.fromhex("0x1.a39ef35793c76p-39")  # integer, the first is exact
POWERS = np.array([float(Decimal(2) ** (Decimal(i) / STEPS)) for i in range(STEPS)])


def check_logits(row: Logits) -> float:
    """Return the largest logit; raise NumericalError if the row has NaN or +inf, or is all -inf."""
    largest = float(row.max())  # NaN propagates through max
    if math.isnan(largest) or math.isinf(largest):
        what = "has NaN" if math.isnan(largest) else f"has a maximum of {largest}"
        raise NumericalError(f"the model's row of logits {what}: its maximum must be finite")
    return largest


def weights_of(logits: Logits, largest: float) -> NDArray[np.float64]:
    """exp(logits - largest) in float64; 0 where a token is ruled out."""
    weights = logits.astype(np.float64)
    weights -= largest
    return elementary.exp(weights)


def block_masses(row: Logits, largest: float) -> NDArray[np.float64]:
    """Σ exp(row - largest) over each block of BLOCK logits, `(ceil(len(row) / BLOCK),)`."""
    starts = range(0, len(row), BLOCK)
    return np.array([weights_of(row[at : at + BLOCK], largest).sum() for at in starts])


def sparse_ids(row: Logits) -> NDArray[np.intp] | None:
    """The ids that are not ruled out, ascending, if they are few; else None."""
    possible = row > -np.inf
    if 4 * np.count_nonzero(possible) > len(row):
        return None
    return np.flatnonzero(possible)


def total_mass(row: Logits, largest: float) -> float:
    """Σ exp(row - largest)."""
    ids = sparse_ids(row)
    return float(block_masses(row if ids is None else row[ids], largest).sum())


def exp(x: NDArray[np.float64], doublings: int = 0) -> NDArray[np.float64]:
    """exp(x) · 2^doublings for -708 ≤ x ≤ 0, within 2 ulp.

    exp(x) = 2^(n / 64) · exp(r) with n = round(64 x / ln 2), so that |r| ≤ ln 2 / 128, for which a
    polynomial of degree 5 is enough.
    """
    steps = np.rint(x * STEPS_PER_E)
    r = (x - steps * STEP_HIGH) - steps * STEP_LOW
    p = r + r * r * (0.5 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120))))
    n = steps.astype(np.int64)
    bits = POWERS.view(np.int64)[n & (STEPS - 1)] + (((n >> 6) + doublings) << 52)
    scale: NDArray[np.float64] = bits.view(np.float64)
    return scale + scale * p


def integer_weights(logits: Logits, largest: float) -> Weights:
    """round(exp(logits - largest) · 2^44); 0 where a token is ruled out, or as good as."""
    x = np.maximum(logits.astype(np.float64) - largest, LOWEST)
    return np.rint(exp(x, WEIGHT_BITS)).astype(np.int64)


def block_weights(row: Logits, largest: float) -> Weights:
    """The integer weights of each block of BLOCK logits, added up, `(ceil(len(row) / BLOCK),)`."""
    starts = range(0, len(row), BLOCK)
    return np.array([integer_weights(row[at : at + BLOCK], largest).sum() for at in starts])


def total_weight(row: Logits, largest: float) -> int:
    """All integer weights of a row, added up."""
    ids = sparse_ids(row)
    return int(block_weights(row if ids is None else row[ids], largest).sum())


def nucleus_weight(p: float, total: int) -> int:
    """The integer weight with which a nucleus of probability p is complete: ceil(p · total)."""
    return min(math.ceil(p * float(total)), total)


def drawn_weight(uniform: float, total: int) -> int:
    """The integer weight that the sum exceeds first at the token drawn: floor(uniform · total)."""
    return min(math.floor(uniform * float(total)), total - 1)


def log_normalizer(row: Logits) -> float:
    """log Σ exp(row), computed from the maximum down so that nothing overflows."""
    largest = check_logits(row)
    return largest + elementary.log_of(total_mass(row, largest))


def log_softmax(row: Logits) -> NDArray[np.float64]:
    """Natural-log probabilities of a row of logits: row - log Σ exp(row), `(vocab_size,)`."""
    largest = check_logits(row)
    result = row.astype(np.float64)
    result -= largest  # first, as a huge maximum would swallow the logarithm
    result -= elementary.log_of(total_mass(row, largest))
    return result


def softmax(row: Logits) -> NDArray[np.float64]:
    """Probabilities of a row of logits, `(vocab_size,)`; they sum to 1 within rounding."""
    weights = weights_of(row, check_logits(row))
    weights /= weights.sum()
    return weights


def entropy(probabilities: NDArray[np.float64]) -> float:
    """-Σ p log p, in nats (Shannon 1948); what has no probability adds nothing."""
    possible = probabilities[probabilities > 0]
    # No dot product: BLAS adds in an order of its threads.
    terms = possible * elementary.log(possible)
    return max(0.0, -float(terms.sum()))
