"""Rotary frequencies, and the ways of stretching them over a longer context.

float32 throughout, in the order in which transformers computes them; powers are rounded to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Frequencies = NDArray[np.float32]


@dataclass(frozen=True)
class Rope:
    """How a model rotates queries and keys (Su et al. 2021, arXiv 2104.09864).

    Attributes:
        frequencies: radians a position, one for each rotated pair; the rest of a head stays as it
            is.
        factor: what cosines and sines are multiplied by.
        interleaved: which values of a head are a pair: neighbours, or halves apart.
        original: with `beyond`, the longest context for which `frequencies` are made.
        beyond: those for longer contexts, if they are others.
    """

    frequencies: Frequencies
    factor: float = 1.0
    interleaved: bool = False
    original: int = 0
    beyond: Frequencies | None = None

    def within(self, context_length: int) -> Rope:
        """The rotation of a model that is loaded with this context.

        Keys are rotated once, when they are cached, so the choice cannot wait for a text's length.
        """
        if self.beyond is None or context_length <= self.original:
            return self
        return replace(self, frequencies=self.beyond, beyond=None)


def plain_frequencies(base: float, rotated: int) -> Frequencies:
    """Frequencies of the pairs of `rotated` values: base^(-2i / rotated)."""
    return np.float32(1.0) / _wavelengths(base, rotated)


def stretched_by_divisors(base: float, rotated: int, divisors: Frequencies) -> Frequencies:
    """LongRoPE: each pair by a factor of its own (Ding et al. 2024, arXiv 2402.13753)."""
    return np.float32(1.0) / (divisors * _wavelengths(base, rotated))


@dataclass(frozen=True)
class LongWaves:
    """Llama 3.1's scaling: long waves by `factor`, short ones not at all, smoothly between.

    Attributes:
        low, high: how often a wave fits into `original` positions where one and the other begins.
    """

    factor: float
    low: float
    high: float
    original: int

    def stretch(self, frequencies: Frequencies) -> Frequencies:
        """The frequencies of the stretched waves."""
        factor, low, high = np.float32(self.factor), self.low, self.high
        waves = np.float32(2 * math.pi) / frequencies
        smooth = (np.float32(self.original) / waves - np.float32(low)) / np.float32(high - low)
        between = (1 - smooth) * frequencies / factor + smooth * frequencies
        stretched = np.where(waves > self.original / low, frequencies / factor, between)
        return np.asarray(np.where(waves < self.original / high, frequencies, stretched))


@dataclass(frozen=True)
class Yarn:
    """YaRN's scaling (Peng et al. 2023, arXiv 2309.00071).

    Pairs that turn more than `fast` times within `original` positions keep their frequency, those
    that turn less than `slow` times are stretched by `factor`; between the two it goes by the
    pair's number.
    """

    factor: float
    original: int
    fast: float = 32.0
    slow: float = 1.0
    truncate: bool = True

    def frequencies(self, base: float, rotated: int) -> Frequencies:
        """The frequencies of the pairs of `rotated` values."""
        waves = _wavelengths(base, rotated)
        short = np.float32(1.0) / waves
        long = np.float32(1.0) / (np.float32(self.factor) * waves)
        low, high = self._range(base, rotated)
        ramp = (np.arange(rotated // 2, dtype=np.float32) - np.float32(low)) / np.float32(
            (high - low) or 0.001
        )
        kept = 1 - np.clip(ramp, 0, 1)
        return np.asarray(long * (1 - kept) + short * kept, np.float32)

    def _range(self, base: float, rotated: int) -> tuple[float, float]:
        """The pairs where stretching begins, and where it is whole."""

        def pair(turns: float) -> float:
            length = math.log(self.original / (turns * 2 * math.pi))
            return rotated * length / (2 * math.log(base))

        low, high = pair(self.fast), pair(self.slow)
        if self.truncate:
            low, high = math.floor(low), math.ceil(high)
        return max(low, 0), min(high, rotated - 1)


def yarn_magnitude(factor: float, weight: float = 1.0) -> float:
    """By how much YaRN lengthens queries and keys that were stretched by `factor`."""
    return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0


def long_rope_magnitude(factor: float, original: int) -> float:
    """By how much LongRoPE lengthens queries and keys of a context `factor` times the original."""
    return 1.0 if factor <= 1 else math.sqrt(1 + math.log(factor) / math.log(original))


def _wavelengths(base: float, rotated: int) -> Frequencies:
    """Positions a radian, of each pair; each power rounded once, to be the same on any machine.

    numpy's power of float32 is not: with AVX-512 it is up to four units in the last place off.
    """
    exponents = np.arange(0, rotated, 2, dtype=np.float32) / np.float32(rotated)
    exact = float(np.float32(base))
    return np.array([math.pow(exact, exponent) for exponent in exponents.tolist()], np.float32)
