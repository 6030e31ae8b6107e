"""How queries and keys are rotated, as files and `config.json` state it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.rope_scalings import (
    Frequencies,
    LongWaves,
    Rope,
    Yarn,
    long_rope_magnitude,
    plain_frequencies,
    stretched_by_divisors,
    yarn_magnitude,
)
from foretell.backends.native.weights.gguf_weights import GGUFWeights
from foretell.errors import ModelFileError
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape, quote

DEFAULT_BASE = 10_000.0
ROPE_DIVISORS = "rope_freqs.weight"
SHORT_DIVISORS, LONG_DIVISORS = "rope_factors_short.weight", "rope_factors_long.weight"
DIVISORS = (ROPE_DIVISORS, SHORT_DIVISORS, LONG_DIVISORS)
"""What GGUF files call the vectors that each pair's frequency is divided by."""

LEAST_DIVISOR = 1e-6  # published ones are 1 and more
LEAST_TURNS = 1e-3
MAX_CONTEXT = 2**24


def file_rope(
    file: GGUFFile, reader: MetadataReader, dim: int, *, interleaved: bool, truncate: bool = True
) -> Rope:
    """How a GGUF file's model rotates heads of `dim` values; by llama.cpp's rules.

    Files do not tell whether YaRN's range is of whole pairs: `truncate` says it.
    """
    rotated = reader.integer("rope.dimension_count", 2, dim, dim)
    if rotated % 2:
        raise reader.wrong(f"rope.dimension_count is {rotated}: must be even")
    base = reader.number("rope.freq_base", 1, 1e12, DEFAULT_BASE)
    loudness = reader.number("rope.scaling.attn_factor", 1e-3, 1e3, 1.0)
    kind = reader.text("rope.scaling.type", "linear")
    if kind == "yarn":
        _check_yarn_base(reader, base)
        yarn, magnitude = _file_yarn(reader, truncate)
        return Rope(yarn.frequencies(base, rotated), magnitude * loudness, interleaved)
    if kind not in ("linear", "none", "longrope"):
        raise reader.unsupported(f"rope scaling {quote(kind)}")
    if SHORT_DIVISORS in file.tensors or LONG_DIVISORS in file.tensors:
        return _file_long_rope(file, reader, base, rotated, loudness, interleaved)
    frequencies = plain_frequencies(base, rotated)
    frequencies /= np.float32(_file_factor(reader, kind))
    if ROPE_DIVISORS in file.tensors:
        frequencies /= _divisors(file, ROPE_DIVISORS, len(frequencies))
    return Rope(frequencies, loudness, interleaved)


def _file_long_rope(
    file: GGUFFile,
    reader: MetadataReader,
    base: float,
    rotated: int,
    loudness: float,
    interleaved: bool,
) -> Rope:
    short, long = (
        stretched_by_divisors(base, rotated, _divisors(file, name, rotated // 2))
        for name in (SHORT_DIVISORS, LONG_DIVISORS)
    )
    return Rope(short, loudness, interleaved, _file_original(reader), long)


def _file_original(reader: MetadataReader) -> int:
    longest = reader.integer("context_length", 1, MAX_CONTEXT)
    return reader.integer("rope.scaling.original_context_length", 1, MAX_CONTEXT, longest)


def _file_yarn(reader: MetadataReader, truncate: bool) -> tuple[Yarn, float]:
    """A GGUF file's YaRN, and by how much it lengthens queries and keys."""
    for key in ("rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor"):
        if reader.number(key, -1e3, 1e3, 1.0) != 1:
            raise reader.unsupported(f"metadata '{reader.prefix}{key}' other than 1")
    factor = _file_factor(reader, "linear")
    yarn = Yarn(
        factor,
        _file_original(reader),
        reader.number("rope.scaling.yarn_beta_fast", LEAST_TURNS, 1e6, 32.0),
        reader.number("rope.scaling.yarn_beta_slow", LEAST_TURNS, 1e6, 1.0),
        truncate,
    )
    return yarn, yarn_magnitude(factor)


def _check_yarn_base(reader: MetadataReader, base: float) -> None:
    """ModelFileError where all pairs turn alike, so that YaRN cannot tell them apart."""
    if base == 1:
        raise reader.wrong("the base of rotations is 1: must exceed 1 for YaRN")


def _divisors(file: GGUFFile, name: str, pairs: int) -> NDArray[np.float32]:
    """What a GGUF file divides each pair's frequency by; 1e30 and the like stop a rotation."""
    divisors = GGUFWeights(file).vector(name, pairs)
    least = divisors.min()
    if least < LEAST_DIVISOR:
        raise ModelFileError(
            f"{escape(file.path_of(name))}: tensor {name!r} holds {least:g}, "
            f"which frequencies are divided by: must be at least {LEAST_DIVISOR:g}"
        )
    return divisors


def _file_factor(reader: MetadataReader, kind: str) -> float:
    """By how much a GGUF file stretches positions; as in llama.cpp, 0 is not at all."""
    older = reader.number("rope.scale_linear", 0, 1e6, 1.0)
    factor = reader.number("rope.scaling.factor", 0, 1e6, older)
    return factor if kind == "linear" and factor else 1.0


def config_rope(
    reader: MetadataReader, dim: int, *, base: float = DEFAULT_BASE, interleaved: bool = False
) -> Rope:
    """How a checkpoint's model rotates heads of `dim` values, as its config says.

    Reads `rope_scaling` of older files, which has the last word in transformers, or
    `rope_parameters`; the base where these have none is `rope_theta`, else `base`.
    """
    rope = reader.part("rope_scaling") or reader.part("rope_parameters") or reader.of_object({}, "")
    theta = rope.number("rope_theta", 1, 1e12, reader.number("rope_theta", 1, 1e12, base))
    rotated = _rotated(rope, reader, dim)
    return _read_scaling(rope, reader, theta, rotated, interleaved)


def config_context(reader: MetadataReader) -> int:
    """The longest context of a checkpoint: as trained, or as YaRN stretches the original one."""
    longest = reader.integer("max_position_embeddings", 1, MAX_CONTEXT)
    rope = reader.part("rope_scaling") or reader.part("rope_parameters")
    if rope is None or rope.values.get("rope_type", rope.values.get("type")) != "yarn":
        return longest
    original = original_context(rope, reader)
    stretched = int(original * _context_factor(rope, reader, original))
    return max(longest, min(stretched, MAX_CONTEXT))


def _rotated(rope: MetadataReader, reader: MetadataReader, dim: int) -> int:
    """How many values of a head are rotated."""
    if rope.values.get("rope_type") == "proportional":
        return dim
    stated = reader.number("partial_rotary_factor", 0, 1, 1.0)
    share = rope.number("partial_rotary_factor", 0, 1, stated)
    rotated = int(dim * share)
    if rotated < 2 or rotated % 2:
        raise reader.unsupported(
            f"partial_rotary_factor={share:g}, which rotates {rotated} of {dim} values: must be "
            "an even number of them"
        )
    return rotated


def kind_rope(
    reader: MetadataReader, dim: int, kind: str, *, key: str = "rope_theta", base: float
) -> Rope:
    """The same for one kind of layers, where each kind has its own.

    Reads `rope_parameters` of this kind, over which `rope_scaling` of older files is laid for
    `full_attention`; the base where these have none is under `key`, else `base`.
    """
    kinds = reader.part("rope_parameters")
    rope = kinds.part(kind) if kinds else None
    if kind == "full_attention":
        rope = _laid_over(reader, rope)
    theta = reader.number(key, 1, 1e12, base)
    if rope is None:
        return Rope(plain_frequencies(theta, dim))
    return _read_scaling(rope, reader, rope.number("rope_theta", 1, 1e12, theta), dim, False)


def _laid_over(reader: MetadataReader, rope: MetadataReader | None) -> MetadataReader | None:
    """These parameters with those of `rope_scaling`, which win."""
    scaling = reader.part("rope_scaling")
    if scaling is None:
        return rope
    usual = {"rope_type": "default"} if rope is None else rope.values
    return reader.of_object({**usual, **scaling.values}, "rope_scaling")


def _read_scaling(
    rope: MetadataReader, reader: MetadataReader, base: float, rotated: int, interleaved: bool
) -> Rope:
    """The rotation that these parameters describe; `reader` is of the config that they are in."""
    kind = rope.text("rope_type", rope.text("type", "default"))
    make = SCALINGS.get(kind)
    if make is None:
        raise rope.unsupported(f"rope type {quote(kind)}")
    found = make(rope, reader, base, rotated)
    return Rope(found.frequencies, found.factor, interleaved, found.original, found.beyond)


def _plain(_: MetadataReader, __: MetadataReader, base: float, rotated: int) -> Rope:
    return Rope(plain_frequencies(base, rotated))


def _dynamic(rope: MetadataReader, _: MetadataReader, base: float, rotated: int) -> Rope:
    """Plain up to `max_position_embeddings`, and no sequence is longer; HunYuan's has `alpha`."""
    alpha = rope.number("alpha", 0, 1e6, 0.0)
    if not alpha:
        return Rope(plain_frequencies(base, rotated))
    if rotated == 2:
        raise rope.wrong("alpha stretches the base by the other pairs: must rotate more than one")
    stretched = base * alpha ** (rotated / (rotated - 2))
    if stretched < 1:
        raise rope.wrong(f"alpha is {alpha:g}: must be larger, to leave a base of at least 1")
    return Rope(plain_frequencies(stretched, rotated))


def _linear(rope: MetadataReader, _: MetadataReader, base: float, rotated: int) -> Rope:
    factor = np.float32(rope.number("factor", 1e-3, 1e6))
    return Rope(plain_frequencies(base, rotated) / factor)


def _llama3(rope: MetadataReader, reader: MetadataReader, base: float, rotated: int) -> Rope:
    waves = LongWaves(
        rope.number("factor", 1e-3, 1e6),
        rope.number("low_freq_factor", 1e-3, 1e6),
        rope.number("high_freq_factor", 1e-3, 1e6),
        original_context(rope, reader),
    )
    if waves.high <= waves.low:
        raise rope.wrong(
            f"high_freq_factor is {waves.high:g}: must exceed low_freq_factor, {waves.low:g}"
        )
    return Rope(waves.stretch(plain_frequencies(base, rotated)))


def _yarn(rope: MetadataReader, reader: MetadataReader, base: float, rotated: int) -> Rope:
    if "long_factor" in rope:  # what the first files of Phi-3 called it
        return _long_rope(rope, reader, base, rotated)
    original = original_context(rope, reader)
    factor = _context_factor(rope, reader, original)
    _check_yarn_base(rope, base)
    yarn = Yarn(
        factor,
        original,
        _turns(rope, "beta_fast", 32.0),
        _turns(rope, "beta_slow", 1.0),
        rope.flag("truncate", True),
    )
    weight, weight_of_all = (rope.number(key, 0, 1e3, 0.0) for key in ("mscale", "mscale_all_dim"))
    magnitude = yarn_magnitude(factor)
    if weight and weight_of_all:
        magnitude = yarn_magnitude(factor, weight) / yarn_magnitude(factor, weight_of_all)
    magnitude = rope.number("attention_factor", 1e-3, 1e3, magnitude)
    return Rope(yarn.frequencies(base, rotated), magnitude)


def _turns(rope: MetadataReader, key: str, usual: float) -> float:
    """How often a pair turns where YaRN's range begins or ends; 0 is what is usual."""
    turns = rope.number(key, 0, 1e6, 0.0)
    return rope.number(key, LEAST_TURNS, 1e6) if turns else usual


def _long_rope(rope: MetadataReader, reader: MetadataReader, base: float, rotated: int) -> Rope:
    original = original_context(rope, reader)
    if original == 1:
        raise rope.wrong("original_max_position_embeddings is 1: must be at least 2 for LongRoPE")
    magnitude = long_rope_magnitude(_context_factor(rope, reader, original), original)
    short, long = (
        stretched_by_divisors(base, rotated, _listed_divisors(rope, key, rotated // 2))
        for key in ("short_factor", "long_factor")
    )
    magnitude = rope.number("attention_factor", 1e-3, 1e3, magnitude)
    return Rope(short, magnitude, original=original, beyond=long)


def _listed_divisors(rope: MetadataReader, key: str, pairs: int) -> Frequencies:
    values = np.asarray(rope.numbers(key), np.float32)
    if len(values) != pairs or not (values >= LEAST_DIVISOR).all():
        raise rope.wrong(
            f"{key} must be {pairs} numbers, one for each rotated pair, of {LEAST_DIVISOR:g} and "
            "more"
        )
    return values


def _proportional(rope: MetadataReader, _: MetadataReader, base: float, rotated: int) -> Rope:
    """The first pairs alone turn, as fast as if all did."""
    turning = int(rope.number("partial_rotary_factor", 0, 1, 1.0) * rotated // 2)
    frequencies = plain_frequencies(base, rotated)
    frequencies[turning:] = 0
    return Rope(frequencies / np.float32(rope.number("factor", 1e-3, 1e6, 1.0)))


SCALINGS: dict[str, Callable[[MetadataReader, MetadataReader, float, int], Rope]] = {
    "default": _plain,
    "linear": _linear,
    "dynamic": _dynamic,
    "llama3": _llama3,
    "yarn": _yarn,
    "longrope": _long_rope,
    "proportional": _proportional,
    "su": _long_rope,  # and so
}
"""How frequencies are stretched, by the `rope_type` of `config.json`."""


def original_context(rope: MetadataReader, reader: MetadataReader) -> int:
    """The context before it was stretched: as transformers looks for it."""
    key = "original_max_position_embeddings"
    longest = reader.integer("max_position_embeddings", 1, MAX_CONTEXT)
    return reader.integer(key, 1, MAX_CONTEXT, rope.integer(key, 1, MAX_CONTEXT, longest))


def _context_factor(rope: MetadataReader, reader: MetadataReader, original: int) -> float:
    """How many times the original context the config's is, if it does not say so itself."""
    longest = reader.integer("max_position_embeddings", 1, MAX_CONTEXT)
    return rope.number("factor", 1e-3, 1e6, longest / original)
