"""Attention of few tokens, where threads share the chunks of a head: the bits of one thread."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from support.attention_bench import Heads, build, random_inputs, shuffled_table
from support.kernel_bench import ISAS, Bench, Cache, bits

from foretell.backends.native._core import OpKind

COUNT = 600
TABLE = shuffled_table()
CALLS = tuple(product((250, 254, 300, 510, 590), (1, 2, 3, 4, 5)))  # first position, tokens
SHAPES = (Heads(3, 2, 16), Heads(1, 5, 48))

EVERY_TEAM = pytest.mark.parametrize("threads", [2, 3, 5])
EVERY_WINDOW = pytest.mark.parametrize("window", [0, 20, 257])
EVERY_TYPE = pytest.mark.parametrize("kv_dtype", ["float32", "float16", "bfloat16", "q8"])


def filled(isa, heads, *, threads, **ways):
    """A bench whose cache has the first 600 positions of a sequence."""
    bench = build(isa, heads, random_inputs(heads, COUNT), threads=threads, **ways)
    bench.forward([(np.arange(COUNT), 0, TABLE)])
    return bench


def call(bench, start, count):
    """The tokens of that sequence from a position on, alone in a batch."""
    return bits(bench.forward([(np.arange(start, start + count), start, TABLE)]))


@cache
def of_one_thread(heads, kv_dtype, window):
    """What one thread makes of each call: all instruction sets the same."""
    bench = filled(ISAS[0], heads, threads=1, kv_dtype=kv_dtype, window=window)
    return {one: call(bench, *one) for one in CALLS}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("heads", SHAPES, ids=["3 kv heads", "1 kv head"])
@EVERY_TEAM
@EVERY_WINDOW
@EVERY_TYPE
def test_any_team_gives_the_bits_of_one_thread(isa, heads, threads, window, kv_dtype):
    expected = of_one_thread(heads, kv_dtype, window)
    bench = filled(isa, heads, threads=threads, kv_dtype=kv_dtype, window=window)
    for one in CALLS:
        np.testing.assert_array_equal(call(bench, *one), expected[one], str(one))


@EVERY_TEAM
def test_room_for_the_parts_grows_and_is_used_again(threads):
    heads, order = SHAPES[0], np.random.default_rng(0).permutation(3 * CALLS)
    expected = of_one_thread(heads, "float16", 0)
    bench = filled(ISAS[0], heads, threads=threads, kv_dtype="float16")
    for start, count in order.tolist():
        np.testing.assert_array_equal(call(bench, start, count), expected[start, count])


# Sequences of a batch: their positions so far, their tokens in it.
BATCHES = (
    ((3, 1), (257, 1), (300, 1), (590, 1)),
    ((590, 1), (0, 1), (255, 2)),
    ((255, 2), (510, 2)),
    ((0, 1), (15, 1), (100, 1), (511, 1)),
)


def pieces_of(batch, bench):
    """The pieces of a batch, each of rows and blocks of its own; fills the cache before them."""
    pieces, blocks = [], 0
    for index, (before, count) in enumerate(batch):
        rows = np.roll(np.arange(COUNT), 97 * index)
        table = list(range(blocks, blocks + (before + count) // 16 + 1))
        blocks += len(table)
        if before:
            bench.forward([(rows[:before], 0, table)])
        pieces.append((rows[before : before + count], before, table))
    return pieces


@EVERY_TEAM
@EVERY_WINDOW
@EVERY_TYPE
@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_sequences_of_unequal_length_get_what_each_gets_alone(threads, window, kv_dtype, batch):
    heads = SHAPES[0]
    benches = [
        build(
            ISAS[0],
            heads,
            random_inputs(heads, COUNT),
            threads=number,
            kv_dtype=kv_dtype,
            window=window,
            num_blocks=80,
        )
        for number in (1, threads)
    ]
    alone, together = (pieces_of(batch, bench) for bench in benches)
    expected = np.concatenate([bits(benches[0].forward([piece])) for piece in alone])
    np.testing.assert_array_equal(bits(benches[1].forward(together)), expected)


@EVERY_TEAM
@EVERY_TYPE
@pytest.mark.parametrize(("window", "is_seen"), [(0, True), (291, True), (290, False), (20, False)])
def test_nan_in_one_chunk_is_seen_by_those_who_see_the_chunk(threads, kv_dtype, window, is_seen):
    """And by nobody else, nor later, when the same memory has other parts."""
    heads = SHAPES[0]
    q, k, v = random_inputs(heads, COUNT)
    factors = np.ones(COUNT)
    factors[300], k[300], v[300] = 1e30, 0, 0  # infinity times zero
    ways = {"kv_dtype": kv_dtype, "window": window, "factors": factors, "num_blocks": 80}
    spoilt, sound = list(range(38)), list(range(38, 76))
    without = np.delete(np.arange(COUNT), 300)  # rows of the sequence that has no NaN

    def run(number):
        bench = build(ISAS[0], heads, (q, k, v), threads=number, **ways)
        bench.forward([(np.arange(590), 0, spoilt)])
        bench.forward([(without[:590], 0, sound)])
        pieces = [(np.array([590]), 590, spoilt), (without[590:592], 590, sound)]
        return [*bench.forward(pieces), *bench.forward(pieces[1:])]

    expected, found = run(1), run(threads)
    np.testing.assert_array_equal(found, expected)  # NaN beside NaN is equal
    assert np.isnan(found[0]).all() == is_seen
    assert np.isfinite(found[0]).all() != is_seen
    assert np.isfinite(found[1:]).all()
    np.testing.assert_array_equal(bits(found[1:3]), bits(found[3:]))


@EVERY_TEAM
def test_one_attention_waits_until_the_parts_of_another_are_joined(threads):
    """Two that need nothing of each other share the memory of their parts."""
    heads = SHAPES[0]
    width = heads.query * heads.dim
    q, k, v = random_inputs(heads, COUNT)

    def run(number):
        bench = Bench(ISAS[0], COUNT, threads=number, cache=Cache(heads.kv, heads.dim, 16, 40))
        keys, values, *queries = (bench.input(x) for x in (k, v, q, -q, 2 * q))
        bench.program.add_op(OpKind.store_kv, a=keys, b=values, layer=0, heads=heads.kv)
        size = {"layer": 0, "heads": heads.query, "scalar": heads.dim**-0.5}
        outs = [bench.op(OpKind.attention, width, a=query, **size) for query in 8 * queries]
        ones, total = bench.vector(np.ones(width)), outs[0]
        for out in outs[1:]:
            total = bench.op(OpKind.rms_norm, width, a=out, b=total, vector=ones, scalar=1e-6)
        bench.finish(total, width).forward([(np.arange(COUNT), 0, TABLE)])
        return [call(bench, 590, 2) for _ in range(20)]

    np.testing.assert_array_equal(run(threads), run(1))
