"""Scores that are bent within a cap, lowered by distance, or have a sink beside them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.attention_bench import Heads, build, shuffled_table
from support.kernel_bench import ISAS, UNIT, Bench, Cache, bits

from foretell.backends.native._core import OpKind

COUNT = 600
FINE = 16383  # q8: a chunk's weights are integers, this the largest
HEADS = Heads(2, 3, 16)
SLOPES = np.float32([0.5, 0.25, 0.1, 0.03, 1.5, 0.002])
SINKS = np.float32([0.0, 3.0, -2.0, 9.0, 200.0, -200.0])
WAYS = {
    "softcap": {"softcap": 3.0},
    "slopes": {"slopes": SLOPES},
    "rounded slopes": {"slopes": SLOPES, "rounds_slopes": True},
    "sinks": {"sinks": SINKS},
    "all of them": {"softcap": 5.0, "slopes": SLOPES, "sinks": SINKS},
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)
EVERY_TYPE = pytest.mark.parametrize("kv_dtype", ["float32", "float16", "bfloat16", "q8"])
EVERY_WINDOW = pytest.mark.parametrize("window", [0, 20, 257])


def whole_numbers(heads=HEADS, count=COUNT, seed=0):
    """Queries, keys and values that each kind of cache keeps exactly, q8 too."""
    rng = np.random.default_rng(seed)
    widths = (heads.query, heads.kv, heads.kv)
    inputs = [rng.integers(-126, 127, (count, width, heads.dim)) for width in widths]
    for values in inputs:
        values[..., 0] = 127  # so that a code's unit is 1
    return tuple(values.reshape(count, -1).astype(np.float32) for values in inputs)


def settings(kv_dtype="float32", way="all of them", window=0):
    return {"kv_dtype": kv_dtype, "scale": 1 / 20_000, "window": window, **WAYS[way]}


def exact(inputs, row, ways):
    """One row in float64: its output, and the error that the kernels may make in it."""
    heads, window = HEADS, ways["window"]
    first = max(0, row + 1 - window) if window else 0
    q = inputs[0][row].reshape(heads.kv, heads.groups, heads.dim).astype(np.float64)
    k, v = (x[first : row + 1].reshape(-1, heads.kv, heads.dim) for x in inputs[1:])
    scores = np.einsum("hgd,phd->hgp", q, k) * ways["scale"]
    sizes = np.einsum("hgd,phd->hgp", np.abs(q), np.abs(k)) * ways["scale"]
    if "softcap" in ways:
        scores = ways["softcap"] * np.tanh(scores / ways["softcap"])
    if "slopes" in ways:
        slopes = ways["slopes"].astype(np.float64).reshape(heads.kv, heads.groups, 1)
        away = slopes * (np.arange(first, row + 1) - row)
        if "rounds_slopes" in ways:
            positions = torch.arange(first, row + 1).bfloat16()
            slopes = torch.from_numpy(ways["slopes"]).bfloat16().reshape(heads.kv, heads.groups, 1)
            away = (slopes * positions).double().numpy() * ways["scale"]
        scores, sizes = scores + away, sizes + np.abs(away)
    top = scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores - top)
    total = weights.sum(axis=-1, keepdims=True)
    if "sinks" in ways:
        sinks = ways["sinks"].astype(np.float64).reshape(heads.kv, heads.groups, 1)
        total = total + np.exp(sinks - top)
    shares = weights / total
    relative = 3 * (sizes * shares).sum(axis=-1, keepdims=True) * UNIT + 100 * UNIT
    rounded = np.ceil(scores.shape[-1] / 2) / FINE / total if ways["kv_dtype"] == "q8" else 0
    out = np.einsum("hgp,phd->hgd", shares, v)
    return out.reshape(-1), np.broadcast_to(127 * (relative + rounded), out.shape).reshape(-1)


@pytest.mark.parametrize("isa", ISAS)
@EVERY_TYPE
@EVERY_WAY
@EVERY_WINDOW
def test_against_float64(isa, kv_dtype, way, window):
    count = COUNT if isa != "plain" else 300
    inputs, ways = whole_numbers(count=count), settings(kv_dtype, way, window)
    bench = build(isa, HEADS, inputs, threads=2, **ways)
    result = bench.forward([(np.arange(count), 0, shuffled_table())])
    for row in (0, 1, 14, 15, 16, 30, 255, 256, 257, 299, 511, 512, 599):
        if row < count:
            expected, allowed = exact(inputs, row, ways)
            assert (np.abs(result[row] - expected) <= allowed).all(), row


@EVERY_TYPE
@EVERY_WAY
@EVERY_WINDOW
def test_the_same_bits_on_any_team_and_for_any_cut(kv_dtype, way, window):
    inputs, ways = whole_numbers(), settings(kv_dtype, way, window)
    alone = build(ISAS[0], HEADS, inputs, **ways)
    pieces = [([at], at, list(range(40))) for at in range(COUNT)]
    expected = np.concatenate([bits(alone.forward([piece])) for piece in pieces])
    for isa in ISAS:
        for threads in (1, 3):
            bench = build(isa, HEADS, inputs, threads=threads, **ways)
            for begin, end in ((0, 253), (253, 254), (254, 258), (258, 596), (596, 600)):
                rows = np.arange(begin, end)
                result = bits(bench.forward([(rows, begin, shuffled_table())]))
                np.testing.assert_array_equal(result, expected[rows], f"{isa} {threads} {begin}")


@pytest.mark.parametrize("isa", ISAS)
@EVERY_TYPE
def test_a_sink_far_below_changes_nothing_and_one_far_above_leaves_nothing(isa, kv_dtype):
    inputs, ways = whole_numbers(count=40), {"kv_dtype": kv_dtype, "scale": 1e-4}
    pieces = [(np.arange(40), 0, [0, 1, 2])]
    plain = build(isa, HEADS, inputs, **ways).forward(pieces)
    low = build(isa, HEADS, inputs, **ways, sinks=np.full(6, -300)).forward(pieces)
    high = build(isa, HEADS, inputs, **ways, sinks=np.full(6, 300)).forward(pieces)
    np.testing.assert_array_equal(bits(low), bits(plain))
    np.testing.assert_array_equal(high, 0)


@pytest.mark.parametrize("isa", ISAS)
@EVERY_TYPE
@EVERY_WAY
def test_what_comes_later_is_not_read(isa, kv_dtype, way):
    q, k, v = whole_numbers(count=45)
    ways = settings(kv_dtype, way)
    factors = np.ones(45)
    pieces = [(np.arange(45), 0, [0, 1, 2])]
    sound = build(isa, HEADS, (q, k, v), **ways, factors=factors).forward(pieces)
    factors[17:], k[17:], v[17:] = 1e30, 0, 0  # infinity times zero
    spoilt = build(isa, HEADS, (q, k, v), **ways, factors=factors).forward(pieces)
    np.testing.assert_array_equal(bits(spoilt[:17]), bits(sound[:17]))
    assert np.isfinite(sound).all()
    assert not np.isfinite(spoilt[17:]).any()


@pytest.mark.parametrize("operand", ["vector", "slopes"])
def test_sinks_and_slopes_are_one_for_each_head(operand):
    bench = Bench(ISAS[0], 2, cache=Cache())
    q = bench.input(np.ones((2, 32), np.float32))
    more = {operand: bench.vector(np.ones(3))}
    out = bench.op(OpKind.attention, 32, a=q, layer=0, heads=2, **more)
    with pytest.raises(ValueError, match="one for each head"):
        bench.finish(out, 32)
