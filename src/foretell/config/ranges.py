"""The legal and the useful values of a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from foretell.config.plain import integer, number
from foretell.errors import ConfigError
from foretell.utils.quoting import quote


@dataclass(frozen=True)
class Range:
    """The values of one numeric setting.

    Attributes:
        kind: int or float.
        low, high: the legal bounds, included; `low` is excluded where `open_low`.
        meaning: what the number does, in a few words.
        useful: within these bounds it does what people want of it; outside earns a warning.
        neutral: the value at which it does nothing, if there is one.
    """

    kind: type
    low: float
    high: float
    meaning: str
    useful: tuple[float, float] | None = None
    neutral: float | None = None
    open_low: bool = False

    def check(self, name: str, value: Any) -> int | float:
        """The value as an int or a float; ConfigError unless it is one within the bounds.

        A count without an upper bound is kept as `MAX_COUNT` at most, which no text comes to.
        """
        found = integer(value) if self.kind is int else number(value)
        if found is None:
            raise ConfigError(f"{name}={quote(value)} must be {self}")
        above = self.low < found if self.open_low else self.low <= found
        if not (above and found <= self.high):  # NaN fails every comparison
            raise ConfigError(f"{name}={quote(found)} is out of range: must be {self}")
        return min(found, MAX_COUNT) if self.kind is int and math.isinf(self.high) else found

    def warning(self, name: str, value: float) -> str | None:
        """A sentence if the value is legal but outside the useful bounds."""
        if self.useful is None or value == self.neutral:
            return None
        low, high = self.useful
        if low <= value <= high:
            return None
        return f"{name}={quote(value)} is legal, but {low:g} to {high:g} is the useful range"

    def __str__(self) -> str:
        noun = "an integer" if self.kind is int else "a number"
        if self.high >= FINITE:
            noun = noun if math.isinf(self.high) else "a finite number"
            bound = "" if self.low <= -FINITE else f" {'>' if self.open_low else '≥'} {self.low:g}"
            return f"{noun}{bound} ({self.meaning})"
        high = str(self.high) if self.kind is int else f"{self.high:g}"
        above = "above " if self.open_low else ""
        return f"{noun} from {above}{self.low:g} to {high} ({self.meaning})"


MAX_COUNT = 2**63 - 1
MAX_SEED = 2**64 - 1
MAX_SAMPLES = 10_000
MAX_BEAMS = 1000
FINITE = 3.0e38  # the largest temperature that a float32 division can take
TOKEN_ID = Range(int, 0, 2**31 - 1, "a token id")
