"""Means with their standard errors, as values come one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from foretell.outputs import JsonMixin


@dataclass(frozen=True, repr=False)
class Estimate(JsonMixin):
    """A figure and its standard error; None where one value alone gives none."""

    value: float
    error: float | None

    def __str__(self) -> str:
        return self.show()

    def show(self, digits: int = 4, unit: float = 1.0) -> str:
        """The figure with its error: `12.3456 ± 0.01234`."""
        error = "" if self.error is None else f" ± {self.error * unit:.{digits + 1}f}"
        return f"{self.value * unit:.{digits}f}{error}"

    def exp(self) -> Estimate:
        """exp of it; the error to first order."""
        value = safe_exp(self.value)
        return Estimate(value, None if self.error is None else value * self.error)


def safe_exp(x: float) -> float:
    """exp(x), or infinity where that is too large."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


class Moments:
    """The mean of some values, taken from their sum and sum of squares.

    The standard error is that of independent values, √((Σx²/n - mean²) / (n - 1)). The tokens of a
    text are not independent, so it is too small rather than too large.
    """

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self._squares = 0.0

    def add(self, value: float) -> None:
        """Take a value."""
        self.count += 1
        self.sum += value
        self._squares += value * value

    @property
    def mean(self) -> float:
        """Of at least one value."""
        return self.sum / self.count

    def estimate(self) -> Estimate:
        """The mean and its standard error."""
        if self.count < 2:
            return Estimate(self.mean, None)
        variance = max(0.0, self._squares / self.count - self.mean**2)
        return Estimate(self.mean, math.sqrt(variance / (self.count - 1)))
