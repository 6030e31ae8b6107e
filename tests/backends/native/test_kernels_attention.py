"""Attention over a paged cache on every instruction set, against a softmax in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.attention_bench import Heads, build, random_inputs, shuffled_table
from support.kernel_bench import ISAS, UNIT, Bench, Cache, bits

from foretell.backends.native._core import OpKind

LENGTHS = (1, 15, 16, 17, 255, 256, 257, 600)


SHAPES = (Heads(2, 1, 16), Heads(3, 3, 64), Heads(1, 4, 16), Heads(1, 5, 128), Heads(2, 8, 16))
EVERY_SHAPE = pytest.mark.parametrize(
    "heads", SHAPES, ids=lambda heads: f"{heads.kv}x{heads.groups}x{heads.dim}"
)
FLOATS = ("float32", "float16", "bfloat16")
EVERY_FLOAT = pytest.mark.parametrize("kv_dtype", FLOATS)
EVERY_TYPE = pytest.mark.parametrize("kv_dtype", [*FLOATS, "q8"])


def longest(isa, heads):
    """The plain instruction set is slow: two chunks of positions must do for the large shapes."""
    return 600 if isa != "plain" or heads.dim * heads.query <= 64 else 260


def as_cached(values, kv_dtype):
    """The float32 values that the cache gives back, by torch's rounding."""
    given = torch.from_numpy(np.ascontiguousarray(values))
    return given.to(getattr(torch, kv_dtype)).to(torch.float32).numpy()


def exact_attention(heads, inputs, length, kv_dtype, window=0):
    """The last of `length` positions: output, and the error that float32 may make in it."""
    q = inputs[0][length - 1].reshape(heads.kv, heads.groups, heads.dim).astype(np.float64)
    first = max(0, length - window) if window else 0
    k, v = (values[first:length].reshape(-1, heads.kv, heads.dim) for values in inputs[1:])
    k, v = (as_cached(values, kv_dtype).astype(np.float64) for values in (k, v))
    scores = np.einsum("hgd,phd->hgp", q, k) * heads.dim**-0.5
    sizes = np.einsum("hgd,phd->hgp", np.abs(q), np.abs(k)) * heads.dim**-0.5
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    out = np.einsum("hgp,phd->hgd", weights, v)
    score_error = 2 * sizes.max() * UNIT
    other_error = (8 + np.sqrt(length) / 4) * UNIT
    return out.reshape(-1), (score_error + other_error) * np.abs(v).max()


@pytest.mark.parametrize("isa", ISAS)
@EVERY_SHAPE
@EVERY_FLOAT
@pytest.mark.parametrize("size", [1.0, 12.0], ids=["flat", "peaked"])
def test_against_float64(isa, heads, kv_dtype, size):
    count = longest(isa, heads)
    inputs = random_inputs(heads, count, size)
    bench = build(isa, heads, inputs, kv_dtype=kv_dtype, threads=2)
    result = bench.forward([(np.arange(count), 0, shuffled_table())])
    for length in LENGTHS:
        if length <= count:
            exact, allowed = exact_attention(heads, inputs, length, kv_dtype)
            np.testing.assert_allclose(result[length - 1], exact, rtol=0, atol=allowed)


WINDOWS = (1, 2, 7, 16, 100, 255, 256, 257, 599)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_against_float64(isa, window):
    heads = Heads(2, 2, 16)
    inputs = random_inputs(heads, 600, 3.0)
    bench = build(isa, heads, inputs, kv_dtype="float16", threads=2, window=window)
    result = bench.forward([(np.arange(600), 0, shuffled_table())])
    for length in range(1, 601):
        exact, allowed = exact_attention(heads, inputs, length, "float16", window)
        np.testing.assert_allclose(result[length - 1], exact, rtol=0, atol=allowed)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kv_dtype", ["float16", "q8"])
def test_a_window_gives_a_token_in_a_chunk_what_it_gets_alone(window, kv_dtype):
    heads = Heads(1, 3, 16)
    inputs = random_inputs(heads, 600)
    bench = build(ISAS[0], heads, inputs, kv_dtype=kv_dtype, window=window)
    alone = np.concatenate([bits(bench.forward([([n], n, list(range(40)))])) for n in range(600)])
    for isa in ISAS:
        for threads in (1, 2, 3):
            bench = build(isa, heads, inputs, kv_dtype=kv_dtype, threads=threads, window=window)
            for start, end in ((0, 250), (250, 263), (263, 600)):
                rows = np.arange(start, end)
                result = bits(bench.forward([(rows, start, shuffled_table())]))
                np.testing.assert_array_equal(result, alone[rows], f"{isa} {threads}")


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("value", [0, 1], ids=["nan", "infinite"])
@pytest.mark.parametrize("kv_dtype", ["float32", "q8"])
def test_what_is_before_the_window_changes_nothing(isa, value, kv_dtype):
    heads = Heads(1, 3, 16)
    q, k, v = random_inputs(heads, 345)
    factors = np.ones(345)
    ways = {"kv_dtype": kv_dtype, "window": 20}
    pieces = [(np.arange(345), 0, list(range(22)))]
    sound = build(isa, heads, (q, k, v), factors=factors, **ways).forward(pieces)
    for last in (16, 250):
        factors[:] = 1
        factors[:last], k[:last], v[:last] = 1e30, 0, value
        spoilt = build(isa, heads, (q, k, v), factors=factors, **ways).forward(pieces)
        np.testing.assert_array_equal(bits(spoilt[last + 19 :]), bits(sound[last + 19 :]))
        assert not np.isfinite(spoilt[: last + 19]).any()


@EVERY_SHAPE
@EVERY_TYPE
def test_all_instruction_sets_and_teams_give_the_same_bits(heads, kv_dtype):
    count = longest("plain", heads)
    inputs = random_inputs(heads, count, 3.0)
    pieces = [(np.arange(count), 0, shuffled_table())]
    expected = bits(build("plain", heads, inputs, kv_dtype=kv_dtype, threads=2).forward(pieces))
    for isa in ISAS[:-1]:
        for threads in (1, 2, 3):
            bench = build(isa, heads, inputs, kv_dtype=kv_dtype, threads=threads)
            np.testing.assert_array_equal(bits(bench.forward(pieces)), expected, isa)


# Chunks of a prompt that end at, before and after the 256 positions of a partial softmax.
CHUNKS = (1, 15, 16, 1, 17, 5, 200, 1, 1, 42, 213, 12, 116)


@pytest.mark.parametrize("isa", ISAS)
@EVERY_TYPE
@pytest.mark.parametrize("heads", [Heads(1, 3, 32), Heads(2, 1, 16)], ids=["3 heads", "1 head"])
def test_a_token_gets_in_a_chunk_what_it_gets_alone(isa, kv_dtype, heads):
    count = sum(CHUNKS)
    inputs = random_inputs(heads, count)
    bench = build(isa, heads, inputs, kv_dtype=kv_dtype, num_blocks=80)
    alone = np.concatenate(
        [bits(bench.forward([([at], at, list(range(40)))])) for at in range(count)]
    )
    for threads in (1, 2, 3):
        bench = build(isa, heads, inputs, kv_dtype=kv_dtype, threads=threads)
        start = 0
        for size in CHUNKS:
            rows = np.arange(start, start + size)
            result = bits(bench.forward([(rows, start, shuffled_table())]))
            np.testing.assert_array_equal(result, alone[rows], f"{size} from {start}")
            start += size


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("groups", [1, 2, 3, 5, 8, 13, 50])
@pytest.mark.parametrize("kv_dtype", ["float16", "q8"])
def test_any_number_of_heads_may_share(isa, groups, kv_dtype):
    """All tokens at once and one by one, whatever rows are then together."""
    heads = Heads(1, groups, 16)
    inputs = random_inputs(heads, 37)
    bench = build(isa, heads, inputs, kv_dtype=kv_dtype, threads=2)
    alone = [bits(bench.forward([([at], at, [3, 1, 2])])) for at in range(37)]
    chunk = bits(bench.forward([(np.arange(37), 0, [4, 6, 5])]))
    np.testing.assert_array_equal(chunk, np.concatenate(alone))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("value", [0, 1], ids=["nan", "infinite"])
@EVERY_TYPE
def test_what_comes_later_is_not_read(isa, kv_dtype, value):
    """Not even times zero: one infinite value would make a sum NaN."""
    heads = Heads(1, 3, 16)
    q, k, v = random_inputs(heads, 45)
    factors = np.ones(45)
    pieces = [(np.arange(45), 0, [0, 1, 2])]
    sound = build(isa, heads, (q, k, v), kv_dtype=kv_dtype, factors=factors).forward(pieces)
    factors[17:], k[17:], v[17:] = 1e30, 0, value
    spoilt = build(isa, heads, (q, k, v), kv_dtype=kv_dtype, factors=factors).forward(pieces)
    np.testing.assert_array_equal(bits(spoilt[:17]), bits(sound[:17]))
    assert np.isfinite(sound).all()
    assert not np.isfinite(spoilt[17:]).any()


@pytest.mark.parametrize("isa", ISAS)
def test_sequences_of_a_batch_do_not_see_each_other(isa):
    heads = Heads(2, 2, 16)
    inputs = random_inputs(heads, 60)
    tables = [[5, 1], [2], [7, 0, 3]]
    chosen = [np.arange(20), np.array([33]), np.arange(59, 21, -1)]
    bench = build(isa, heads, inputs, kv_dtype="float16", threads=3)
    alone = [bits(bench.forward([(rows, 0, [8, 9, 10])])) for rows in chosen]
    pieces = [(rows, 0, table) for rows, table in zip(chosen, tables, strict=True)]
    np.testing.assert_array_equal(bits(bench.forward(pieces)), np.concatenate(alone))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("block_size", [32, 48, 64, 256])
@pytest.mark.parametrize("kv_dtype", ["float16", "q8"])
def test_the_length_of_a_block_changes_nothing(isa, block_size, kv_dtype):
    heads = Heads(2, 2, 16)
    inputs = random_inputs(heads, 300)
    benches = [
        build(isa, heads, inputs, kv_dtype=kv_dtype, block_size=size) for size in (16, block_size)
    ]
    results = [bits(bench.forward([(np.arange(300), 0, shuffled_table())])) for bench in benches]
    np.testing.assert_array_equal(results[0], results[1])


@EVERY_TYPE
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("pairs", [8, 3])  # of 8
@pytest.mark.parametrize("interleaved", [False, True])
def test_keys_are_rotated_on_their_way_into_the_cache(isa, kv_dtype, pairs, interleaved):
    heads = Heads(2, 2, 16)
    q, k, v = random_inputs(heads, 40)
    angles = (100.0 ** (-np.arange(pairs) / pairs)).astype(np.float32)
    pieces = [(np.arange(40), 0, [2, 0, 1])]
    ways = {"kv_dtype": kv_dtype, "angles": angles, "interleaved": interleaved}
    stored = build(isa, heads, (q, k, v), **ways).forward(pieces)
    bench = Bench(isa, 40, cache=Cache(num_blocks=3))
    a = bench.input(k)
    turn = bench.op(OpKind.rope_table, 2 * pairs, vector=bench.vector(angles))
    turned = bench.op(OpKind.rope, 32, a=a, b=turn, heads=heads.kv, interleaved=interleaved)
    rotated = bench.finish(turned, 32).forward(pieces)
    given = build(isa, heads, (q, rotated, v), kv_dtype=kv_dtype).forward(pieces)
    np.testing.assert_array_equal(bits(stored), bits(given))
    assert (stored != build(isa, heads, (q, k, v), kv_dtype=kv_dtype).forward(pieces)).any()


def values_from_cache(isa, v, kv_dtype):
    """One position has weight 1: its value comes out as the cache has it."""
    heads = Heads(1, 1, 16)
    q, k, _ = random_inputs(heads, len(v))
    bench = build(isa, heads, (q, k, v), kv_dtype=kv_dtype)
    return bench.forward([([row], 0, [row]) for row in range(len(v))])


@pytest.mark.parametrize("isa", ISAS)
@EVERY_FLOAT
def test_values_round_to_nearest_even(isa, kv_dtype):
    v = np.random.default_rng(0).uniform(-1, 1, (30, 16)) * 10.0 ** np.arange(-25, 5)[:, None]
    v[0, :4] = 1 + 2.0**-11, 1 + 3 * 2.0**-11, 2.0**-24 * 1.5, 65519
    v[1, :4] = 1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 + 2.0**-8 + 2.0**-20, -1 - 2.0**-8
    v = v.astype(np.float32)
    np.testing.assert_array_equal(values_from_cache(isa, v, kv_dtype), as_cached(v, kv_dtype))


@pytest.mark.parametrize("isa", ISAS)
@EVERY_FLOAT
def test_large_values_stay_finite(isa, kv_dtype):
    v = np.zeros((1, 16), np.float32)
    v[0, :4] = 65520, -65520, 1e30, -3e38
    expected = as_cached(v, kv_dtype)
    if kv_dtype == "float16":
        expected[0, :4] = 65504, -65504, 65504, -65504
    np.testing.assert_array_equal(values_from_cache(isa, v, kv_dtype), expected)
    assert np.isfinite(expected).all()


@pytest.mark.parametrize("isa", ISAS)
@EVERY_TYPE
def test_what_is_not_finite_stays_so(isa, kv_dtype):
    """For it is an error that must be seen."""
    v = np.array([[0, 1, -1, 2] * 4], np.float32)
    heads = Heads(1, 1, 16)
    q = np.ones((1, 16), np.float32)
    bench = build(isa, heads, (q, np.zeros_like(q), v), kv_dtype=kv_dtype, factors=np.array([1e30]))
    result = bench.forward([([0], 0, [0])])
    assert not np.isfinite(result).any()
