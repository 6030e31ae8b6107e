"""ALiBi: scores fall with distance, by a slope for each head (Press et al. 2021, 2108.12409)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def alibi_slopes(heads: int, max_bias: float) -> NDArray[np.float32]:
    """By how much a head's scores fall a position: 2^(-max_bias i / n), i = 1 … n.

    If the number of heads n is no power of two, the largest power below it has its slopes, and the
    other heads every other one of twice as many.
    """
    power = 2 ** (heads.bit_length() - 1)
    first = 2.0 ** (-max_bias * np.arange(1, power + 1) / power)
    between = 2.0 ** (-max_bias * np.arange(1, 2 * power, 2) / (2 * power))
    return np.concatenate([first, between])[:heads].astype(np.float32)
