"""Attention over int8 keys and values, against its own arithmetic in float64 and whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from support.attention_bench import Heads, build, random_inputs, shuffled_table
from support.kernel_bench import ISAS, UNIT, bits

CHUNK = 256  # positions whose weights are integers relative to the largest of them
LARGEST_WEIGHT = 16383
SHAPES = (Heads(2, 1, 16), Heads(3, 3, 64), Heads(1, 4, 16), Heads(1, 5, 48), Heads(1, 2, 112))
EVERY_SHAPE = pytest.mark.parametrize(
    "heads", SHAPES, ids=lambda heads: f"{heads.kv}x{heads.groups}x{heads.dim}"
)
LENGTHS = (1, 2, 15, 16, 17, 255, 256, 257, 600)


def round_up(scales):
    """The bfloat16 at or above each float32."""
    return (
        ((scales.view(np.uint32).astype(np.uint64) + 0xFFFF) & 0xFFFF0000)
        .astype(np.uint32)
        .view(np.float32)
    )


def encode(x, *, is_cached):
    """Codes of the last axis, whole numbers from -127 to 127, and its scale `(..., 1)`."""
    scales = np.abs(x).max(axis=-1, keepdims=True) / np.float32(127)
    scales = round_up(scales) if is_cached else scales
    divisors = np.where(scales > 0, scales, np.float32(1))
    return np.rint(x / divisors).clip(-127, 127).astype(np.int64), scales.astype(np.float64)


def in_groups(x):
    """`(..., dim)` as its groups of 32 dimensions, the last perhaps of 16."""
    return [x[..., at : at + 32] for at in range(0, x.shape[-1], 32)]


def scores_of(q, k, dim):
    """Scores `(kv heads, group, position)` and the sum of the sizes of their terms."""
    scores, sizes = 0.0, 0.0
    for q_group, k_group in zip(in_groups(q), in_groups(k), strict=True):
        q_codes, q_scales = encode(q_group, is_cached=False)
        k_codes, k_scales = encode(k_group, is_cached=True)
        products = np.einsum("hgd,phd->hgp", q_codes, k_codes)
        scales = q_scales * k_scales[..., 0].T[:, None] * dim**-0.5
        scores = scores + products * scales
        sizes = sizes + np.abs(products) * scales
    return scores, sizes


def quantized_attention(heads, inputs, length, window=0):
    """The last of `length` positions: output, and the error that float32 may make in it."""
    q = inputs[0][length - 1].reshape(heads.kv, heads.groups, heads.dim)
    k, v = (values[:length].reshape(-1, heads.kv, heads.dim) for values in inputs[1:])
    first = max(0, length - window) if window else 0
    scores, sizes = scores_of(q, k, heads.dim)
    codes, scales = encode(v, is_cached=True)
    total, values, flips = 0.0, 0.0, 0.0
    top = scores[..., first:].max(axis=-1, keepdims=True)
    for begin in range(first // CHUNK * CHUNK, length, CHUNK):
        seen = slice(max(begin, first), min(begin + CHUNK, length))
        weights = np.exp(scores[..., seen] - top)
        contributions = weights * scales[seen, :, 0].T[:, None]
        unit = contributions.max(axis=-1, keepdims=True) / LARGEST_WEIGHT
        whole = np.rint(contributions / np.where(unit > 0, unit, 1)).astype(np.int64)
        values = values + np.einsum("hgp,phd->hgd", whole, codes[seen]) * unit
        total = total + weights.sum(axis=-1, keepdims=True)
        flips = flips + unit.max() * 127
    relative = 2 * sizes.max() * UNIT + (8 + np.sqrt(length) / 4) * UNIT
    allowed = relative * np.abs(v).max() + 6 * flips / total.min()
    return (values / total).reshape(-1), allowed


@pytest.mark.parametrize("isa", ISAS)
@EVERY_SHAPE
@pytest.mark.parametrize("size", [1.0, 12.0], ids=["flat", "peaked"])
def test_against_its_own_arithmetic(isa, heads, size):
    count = 600 if isa != "plain" or heads.dim * heads.query <= 64 else 260
    inputs = random_inputs(heads, count, size)
    result = build(isa, heads, inputs, kv_dtype="q8", threads=2).forward(
        [(np.arange(count), 0, shuffled_table())]
    )
    for length in LENGTHS:
        if length <= count:
            exact, allowed = quantized_attention(heads, inputs, length)
            np.testing.assert_allclose(result[length - 1], exact, rtol=0, atol=allowed)


@pytest.mark.parametrize("window", [1, 7, 16, 100, 256, 257, 599])
def test_a_window_against_its_own_arithmetic(window):
    heads = Heads(2, 2, 16)
    inputs = random_inputs(heads, 600, 3.0)
    bench = build(ISAS[0], heads, inputs, kv_dtype="q8", threads=2, window=window)
    result = bench.forward([(np.arange(600), 0, shuffled_table())])
    for length in range(1, 601, 7):
        exact, allowed = quantized_attention(heads, inputs, length, window)
        np.testing.assert_allclose(result[length - 1], exact, rtol=0, atol=allowed)


def test_errors_are_those_of_eight_bits():
    """Beside attention in float64: neither of a wrong scale nor of a finer cache."""
    heads = Heads(3, 3, 64)
    q, k, v = random_inputs(heads, 600)
    result = build(ISAS[0], heads, (q, k, v), kv_dtype="q8").forward(
        [(np.arange(600), 0, shuffled_table())]
    )
    errors = []
    for row in range(300, 600, 10):
        keys, values = (x[: row + 1].reshape(-1, heads.kv, heads.dim) for x in (k, v))
        queries = q[row].reshape(heads.kv, heads.groups, heads.dim).astype(np.float64)
        scores = np.einsum("hgd,phd->hgp", queries, keys) * heads.dim**-0.5
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        exact = np.einsum("hgp,phd->hgd", weights, values).reshape(-1)
        errors.append(np.sqrt(((result[row] - exact) ** 2).mean()) / exact.std())
    assert 0.002 < np.mean(errors) < 0.02


def from_cache(isa, v):
    """One position has weight 1: its value comes out as the cache has it."""
    heads = Heads(1, 1, v.shape[1])
    inputs = (*random_inputs(heads, len(v))[:2], v)
    bench = build(isa, heads, inputs, kv_dtype="q8", num_blocks=len(v))
    return bench.forward([([row], 0, [row]) for row in range(len(v))])


@pytest.mark.parametrize("isa", ISAS)
def test_values_of_any_size_keep_eight_bits(isa):
    v = np.random.default_rng(0).uniform(-1, 1, (60, 16)) * 10.0 ** np.arange(-25, 35)[:, None]
    v = v.astype(np.float32)
    codes, scales = encode(v, is_cached=True)
    np.testing.assert_allclose(from_cache(isa, v), codes * scales, rtol=1e-6)
    assert (np.abs(codes).max(axis=-1) >= 126).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("size", [0.0, 1e-45, 1e-38, 3.4e38])
def test_the_smallest_and_largest_values(isa, size):
    v = np.full((1, 16), size, np.float32)
    np.testing.assert_allclose(from_cache(isa, v), v, rtol=0.01, atol=1e-30)


def test_the_same_bits_for_the_smallest_and_largest():
    rng = np.random.default_rng(1)
    v = (rng.uniform(-1, 1, (70, 32)) * 10.0 ** np.arange(-44, 26)[:, None]).astype(np.float32)
    expected = bits(from_cache("plain", v))
    for isa in ISAS[:-1]:
        np.testing.assert_array_equal(bits(from_cache(isa, v)), expected, isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("where", ["query", "key", "value"])
@pytest.mark.parametrize("value", [0, 1, -1], ids=["nan", "infinite", "-infinite"])
def test_what_is_not_finite_makes_what_sees_it_nan(isa, where, value):
    """One NaN or infinity, of one head: an error that must be seen, and by those only."""
    heads, row = Heads(2, 2, 48), 270
    inputs = dict(zip(("query", "key", "value"), random_inputs(heads, 300), strict=True))
    gates = {where: np.ones_like(inputs[where])}

    def run():
        bench = build(isa, heads, tuple(inputs.values()), kv_dtype="q8", gates=gates)
        return bench.forward([(np.arange(300), 0, shuffled_table())]).reshape(300, 4, 48)

    sound = run()
    inputs[where][row, 5] = value
    gates[where][row, 5] = 1e30
    spoilt = run()
    seeing = np.zeros((300, 4), bool)
    if where == "query":
        seeing[row, 0] = True
    else:
        seeing[row:, :2] = True
    assert np.isnan(spoilt[seeing]).all()
    np.testing.assert_array_equal(bits(spoilt[~seeing]), bits(sound[~seeing]))
