"""Rotary frequencies, as files and `config.json` state them.

float32 throughout, as transformers computes them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.weights.source import GGUFWeights
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

DEFAULT_BASE = 10_000.0


def plain_frequencies(base: float, rotated: int) -> NDArray[np.float32]:
    """Frequencies of the pairs of `rotated` values: base^(-2i / rotated)."""
    exponents = np.arange(0, rotated, 2, dtype=np.float32) / np.float32(rotated)
    return np.asarray(np.float32(1.0) / np.float32(base) ** exponents, np.float32)


def file_frequencies(
    file: GGUFFile, reader: MetadataReader, dim: int, usual_base: float = DEFAULT_BASE
) -> NDArray[np.float32]:
    """Frequencies of the rotated pairs of a head, with a GGUF file's base and scaling."""
    rotated = reader.integer("rope.dimension_count", 2, dim, dim)
    if rotated % 2:
        raise reader.wrong(f"rope.dimension_count is {rotated}: must be even")
    frequencies = plain_frequencies(reader.number("rope.freq_base", 1, 1e12, usual_base), rotated)
    scaling = reader.text("rope.scaling.type", "none")
    if scaling == "linear":
        frequencies /= np.float32(reader.number("rope.scaling.factor", 1e-3, 1e6))
    elif scaling != "none":
        raise reader.unsupported(f"rope scaling {scaling!r}")
    if "rope_freqs.weight" in file.tensors:
        frequencies /= GGUFWeights(file).vector("rope_freqs.weight", len(frequencies))
    return frequencies


def config_frequencies(reader: MetadataReader, dim: int) -> NDArray[np.float32]:
    """Frequencies of the rotated pairs of a head, scaled as the config says.

    Reads `rope_parameters`, and `rope_theta` and `rope_scaling` of older files.
    """
    rope = reader.part("rope_parameters") or reader.part("rope_scaling") or reader
    theta = reader.number("rope_theta", 1, 1e12, DEFAULT_BASE)
    base = rope.number("rope_theta", 1, 1e12, theta)
    share = reader.number("partial_rotary_factor", 0, 1, 1.0)
    if rope.number("partial_rotary_factor", 0, 1, share) != 1:
        raise reader.unsupported("a partly rotated head")
    return _scale(plain_frequencies(base, dim), None if rope is reader else rope)


def kind_frequencies(
    reader: MetadataReader, dim: int, kind: str, *, base: str, usual: float
) -> NDArray[np.float32]:
    """The same for one kind of layers, where each kind has its own.

    Reads `rope_parameters` of this kind; in older files `base`, and for `full_attention`
    `rope_scaling`. `usual` is the base where none is given.
    """
    theta = reader.number(base, 1, 1e12, usual)
    kinds = reader.part("rope_parameters")
    rope = kinds.part(kind) if kinds else None
    if rope:
        theta = rope.number("rope_theta", 1, 1e12, theta)
    elif kind == "full_attention":
        rope = reader.part("rope_scaling")
    return _scale(plain_frequencies(theta, dim), rope)


def _scale(frequencies: NDArray[np.float32], rope: MetadataReader | None) -> NDArray[np.float32]:
    """Frequencies as these parameters stretch them."""
    kind = rope.text("rope_type", rope.text("type", "default")) if rope else "default"
    if rope is None or kind == "default":
        return frequencies
    if kind == "linear":
        frequencies = frequencies / np.float32(rope.number("factor", 1e-3, 1e6))
    elif kind == "llama3":
        frequencies = _stretch_long_waves(frequencies, rope)
    else:
        raise rope.unsupported(f"rope type {kind!r:.40}")
    return np.asarray(frequencies, np.float32)


def _stretch_long_waves(
    frequencies: NDArray[np.float32], rope: MetadataReader
) -> NDArray[np.float32]:
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
