"""Rotary frequencies as a checkpoint's `config.json` states them (row 4 of the design)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.weights.metadata import Settings

DEFAULT_BASE = 10_000.0


def config_frequencies(settings: Settings, dim: int) -> NDArray[np.float32]:
    """Frequencies of the rotated pairs of a head, base^(-2i / dim), scaled as the config says.

    Reads `rope_parameters`, and `rope_theta` and `rope_scaling` of older files. float32 throughout,
    as transformers computes them.
    """
    rope = settings.part("rope_parameters") or settings.part("rope_scaling") or settings
    kind = rope.text("rope_type", rope.text("type", "default")) if rope is not settings else ""
    theta = settings.number("rope_theta", 1, 1e12, DEFAULT_BASE)
    base = rope.number("rope_theta", 1, 1e12, theta)
    share = settings.number("partial_rotary_factor", 0, 1, 1.0)
    if rope.number("partial_rotary_factor", 0, 1, share) != 1:
        raise settings.unsupported("a partly rotated head")
    exponents = np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim)
    frequencies = np.float32(1.0) / np.float32(base) ** exponents
    if kind == "linear":
        frequencies = frequencies / np.float32(rope.number("factor", 1e-3, 1e6))
    elif kind == "llama3":
        frequencies = _stretch_long_waves(frequencies, rope)
    elif kind not in ("", "default"):
        raise settings.unsupported(f"rope type {kind!r:.40}")
    return np.asarray(frequencies, np.float32)


def _stretch_long_waves(frequencies: NDArray[np.float32], rope: Settings) -> NDArray[np.float32]:
    """Llama 3.1's scaling: long waves by `factor`, short ones not at all, smoothly between."""
    factor = np.float32(rope.number("factor", 1e-3, 1e6))
    low = rope.number("low_freq_factor", 1e-3, 1e6)
    high = rope.number("high_freq_factor", 1e-3, 1e6)
    if high <= low:
        raise rope.wrong(f"high_freq_factor is {high:g}: must exceed low_freq_factor, {low:g}")
    original = rope.integer("original_max_position_embeddings", 1, 2**24)
    waves = np.float32(2 * math.pi) / frequencies
    smooth = (np.float32(original) / waves - np.float32(low)) / np.float32(high - low)
    between = (1 - smooth) * frequencies / factor + smooth * frequencies
    stretched = np.where(waves > original / low, frequencies / factor, between)
    return np.where(waves < original / high, frequencies, stretched)
