"""Rotary frequencies, as files and `config.json` state them.

float32 throughout, as transformers computes them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.weights.source import GGUFWeights
from foretell.errors import ModelFileError
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape, quote

DEFAULT_BASE = 10_000.0
ROPE_DIVISORS = "rope_freqs.weight"
LEAST_DIVISOR = 1e-6  # published ones are 1 and more


def plain_frequencies(base: float, rotated: int) -> NDArray[np.float32]:
    """Frequencies of the pairs of `rotated` values: base^(-2i / rotated)."""
    exponents = np.arange(0, rotated, 2, dtype=np.float32) / np.float32(rotated)
    return np.asarray(np.float32(1.0) / np.float32(base) ** exponents, np.float32)


def file_frequencies(file: GGUFFile, reader: MetadataReader, dim: int) -> NDArray[np.float32]:
    """Frequencies of the rotated pairs of a head, with a GGUF file's base and scaling."""
    rotated = reader.integer("rope.dimension_count", 2, dim, dim)
    if rotated % 2:
        raise reader.wrong(f"rope.dimension_count is {rotated}: must be even")
    frequencies = plain_frequencies(reader.number("rope.freq_base", 1, 1e12, DEFAULT_BASE), rotated)
    frequencies /= np.float32(_file_factor(reader))
    if ROPE_DIVISORS in file.tensors:
        frequencies /= _divisors(file, len(frequencies))
    return frequencies


def _divisors(file: GGUFFile, pairs: int) -> NDArray[np.float32]:
    """What a GGUF file divides each pair's frequency by; 1e30 and the like stop a rotation."""
    divisors = GGUFWeights(file).vector(ROPE_DIVISORS, pairs)
    least = divisors.min()
    if least < LEAST_DIVISOR:
        raise ModelFileError(
            f"{escape(file.path_of(ROPE_DIVISORS))}: tensor {ROPE_DIVISORS!r} holds {least:g}, "
            f"which frequencies are divided by: must be at least {LEAST_DIVISOR:g}"
        )
    return divisors


def _file_factor(reader: MetadataReader) -> float:
    """By how much a GGUF file stretches positions; as in llama.cpp, 0 is not at all."""
    older = reader.number("rope.scale_linear", 0, 1e6, 1.0)
    factor = reader.number("rope.scaling.factor", 0, 1e6, older)
    kind = reader.text("rope.scaling.type", "linear")
    if kind not in ("linear", "none"):
        raise reader.unsupported(f"rope scaling {quote(kind)}")
    return factor if kind == "linear" and factor else 1.0


def file_score_factor(reader: MetadataReader, dim: int) -> float:
    """By how much a GGUF file multiplies the scores of rotated queries and keys.

    `attn_factor` is of both, as is transformers' `attention_factor`.
    """
    factor = reader.number("rope.scaling.attn_factor", 1e-3, 1e3, 1.0)
    if factor != 1 and reader.integer("rope.dimension_count", 2, dim, dim) != dim:
        raise reader.unsupported("rope.scaling.attn_factor of partly rotated heads")
    return factor**2


def config_frequencies(reader: MetadataReader, dim: int) -> NDArray[np.float32]:
    """Frequencies of the rotated pairs of a head, scaled as the config says.

    Reads `rope_scaling` of older files, which has the last word in transformers, or
    `rope_parameters`; the base where these have none is `rope_theta`.
    """
    rope = reader.part("rope_scaling") or reader.part("rope_parameters") or reader.of_object({}, "")
    theta = reader.number("rope_theta", 1, 1e12, DEFAULT_BASE)
    base = rope.number("rope_theta", 1, 1e12, theta)
    share = reader.number("partial_rotary_factor", 0, 1, 1.0)
    if rope.number("partial_rotary_factor", 0, 1, share) != 1:
        raise reader.unsupported("a partly rotated head")
    return _scale(plain_frequencies(base, dim), rope, reader)


def kind_frequencies(
    reader: MetadataReader, dim: int, kind: str, *, base: str, usual: float
) -> NDArray[np.float32]:
    """The same for one kind of layers, where each kind has its own.

    Reads `rope_parameters` of this kind, over which `rope_scaling` of older files is laid for
    `full_attention`; the base where these have none is under the key `base`, else `usual`.
    """
    kinds = reader.part("rope_parameters")
    rope = kinds.part(kind) if kinds else None
    if kind == "full_attention":
        rope = _laid_over(reader, rope)
    theta = reader.number(base, 1, 1e12, usual)
    if rope is None:
        return plain_frequencies(theta, dim)
    return _scale(plain_frequencies(rope.number("rope_theta", 1, 1e12, theta), dim), rope, reader)


def _laid_over(reader: MetadataReader, rope: MetadataReader | None) -> MetadataReader | None:
    """These parameters with those of `rope_scaling`, which win."""
    scaling = reader.part("rope_scaling")
    if scaling is None:
        return rope
    usual = {"rope_type": "default"} if rope is None else rope.values
    return reader.of_object({**usual, **scaling.values}, "rope_scaling")


def _scale(
    frequencies: NDArray[np.float32], rope: MetadataReader, reader: MetadataReader
) -> NDArray[np.float32]:
    """Frequencies as these parameters stretch them; `reader` is of the config that they are in."""
    kind = rope.text("rope_type", rope.text("type", "default"))
    if kind == "default":
        return frequencies
    if kind == "linear":
        frequencies = frequencies / np.float32(rope.number("factor", 1e-3, 1e6))
    elif kind == "llama3":
        frequencies = _stretch_long_waves(frequencies, rope, _trained_context(rope, reader))
    else:
        raise rope.unsupported(f"rope type {quote(kind)}")
    return np.asarray(frequencies, np.float32)


def _trained_context(rope: MetadataReader, reader: MetadataReader) -> int:
    """The context before it was stretched: as transformers looks for it."""
    key = "original_max_position_embeddings"
    longest = reader.integer("max_position_embeddings", 1, 2**24)
    return reader.integer(key, 1, 2**24, rope.integer(key, 1, 2**24, longest))


def _stretch_long_waves(
    frequencies: NDArray[np.float32], rope: MetadataReader, original: int
) -> NDArray[np.float32]:
    """Llama 3.1's scaling: long waves by `factor`, short ones not at all, smoothly between."""
    factor = np.float32(rope.number("factor", 1e-3, 1e6))
    low = rope.number("low_freq_factor", 1e-3, 1e6)
    high = rope.number("high_freq_factor", 1e-3, 1e6)
    if high <= low:
        raise rope.wrong(f"high_freq_factor is {high:g}: must exceed low_freq_factor, {low:g}")
    waves = np.float32(2 * math.pi) / frequencies
    smooth = (np.float32(original) / waves - np.float32(low)) / np.float32(high - low)
    between = (1 - smooth) * frequencies / factor + smooth * frequencies
    stretched = np.where(waves > original / low, frequencies / factor, between)
    return np.where(waves < original / high, frequencies, stretched)
