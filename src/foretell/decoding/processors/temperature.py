"""Temperature: how sharp the distribution is."""

from __future__ import annotations

import numpy as np

from foretell.config import FINITE
from foretell.decoding.processors.base import History
from foretell.utils.arrays import Logits

TINY = float(np.finfo(np.float32).tiny)  # the smallest divisor that keeps its precision in float32


class Temperature:
    """logits / T (Ackley et al. 1985): below 1 sharpens the distribution, above 1 flattens it.

    Where the largest quotient would overflow float32, the maximum is subtracted first: softmax is
    unmoved by a shift.

    Attributes:
        temperature: T, above 0.
    """

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    def __call__(self, row: Logits, history: History) -> None:
        """Divide the row by the temperature."""
        largest = float(row.max())
        with np.errstate(over="ignore"):  # far below the maximum: -inf, as probable
            if self.temperature >= TINY and abs(largest) / self.temperature < FINITE:
                row /= self.temperature
            else:
                row[:] = (row.astype(np.float64) - largest) / self.temperature
