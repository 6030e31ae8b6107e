"""Attention over a paged cache on every instruction set, against a softmax in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from kernel_bench import ISAS, UNIT, Bench, Cache, bits

from foretell.backends.native._core import OpKind

LENGTHS = (1, 15, 16, 17, 255, 256, 257, 600)


@dataclass(frozen=True)
class Heads:
    """`groups` query heads share each of `kv` key and value heads of `dim` values."""

    kv: int
    groups: int
    dim: int

    @property
    def query(self):
        return self.kv * self.groups


SHAPES = (Heads(2, 1, 16), Heads(3, 3, 64), Heads(1, 4, 16), Heads(1, 5, 128), Heads(2, 8, 16))
EVERY_SHAPE = pytest.mark.parametrize(
    "heads", SHAPES, ids=lambda heads: f"{heads.kv}x{heads.groups}x{heads.dim}"
)
EVERY_TYPE = pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])


def longest(isa, heads):
    """The plain instruction set is slow: two chunks of positions must do for the large shapes."""
    return 600 if isa != "plain" or heads.dim * heads.query <= 64 else 260


def random_inputs(heads, count, size=1.0, seed=0):
    """Queries, keys and values of `count` tokens."""
    rng = np.random.default_rng(seed)
    widths = (heads.query * heads.dim, heads.kv * heads.dim, heads.kv * heads.dim)
    q, k, v = (rng.standard_normal((count, width), np.float32) for width in widths)
    return q * np.float32(size), k, v


def build(isa, heads, inputs, *, half, threads=1, block_size=16, num_blocks=40, angles=None):
    cache = Cache(heads.kv, heads.dim, block_size, num_blocks, half)
    bench = Bench(isa, len(inputs[0]), threads=threads, cache=cache)
    q, k, v = (bench.input(values) for values in inputs)
    turn = -1
    if angles is not None:
        turn = bench.op(OpKind.rotary, 2 * len(angles), vector=bench.vector(angles))
    bench.program.add_op(OpKind.store_kv, a=k, b=v, c=turn, layer=0, heads=heads.kv)
    width = heads.query * heads.dim
    out = bench.op(OpKind.attention, width, a=q, layer=0, heads=heads.query, number=heads.dim**-0.5)
    return bench.finish(out, width)


def shuffled_table(count=40, seed=3):
    return np.random.default_rng(seed).permutation(count).tolist()


def exact_attention(heads, inputs, length, half):
    """The last of `length` positions: output, and the error that float32 may make in it."""
    q = inputs[0][length - 1].reshape(heads.kv, heads.groups, heads.dim).astype(np.float64)
    k, v = (values[:length].reshape(length, heads.kv, heads.dim) for values in inputs[1:])
    if half:
        k, v = k.astype(np.float16), v.astype(np.float16)
    k, v = k.astype(np.float64), v.astype(np.float64)
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
@EVERY_TYPE
@pytest.mark.parametrize("size", [1.0, 12.0], ids=["flat", "peaked"])
def test_against_float64(isa, heads, half, size):
    count = longest(isa, heads)
    inputs = random_inputs(heads, count, size)
    bench = build(isa, heads, inputs, half=half, threads=2)
    result = bench.forward([(np.arange(count), 0, shuffled_table())])
    for length in LENGTHS:
        if length <= count:
            exact, allowed = exact_attention(heads, inputs, length, half)
            np.testing.assert_allclose(result[length - 1], exact, rtol=0, atol=allowed)


@EVERY_SHAPE
@EVERY_TYPE
def test_all_instruction_sets_and_teams_give_the_same_bits(heads, half):
    count = longest("plain", heads)
    inputs = random_inputs(heads, count, 3.0)
    pieces = [(np.arange(count), 0, shuffled_table())]
    expected = bits(build("plain", heads, inputs, half=half, threads=2).forward(pieces))
    for isa in ISAS[:-1]:
        for threads in (1, 2, 3):
            bench = build(isa, heads, inputs, half=half, threads=threads)
            np.testing.assert_array_equal(bits(bench.forward(pieces)), expected, isa)


@pytest.mark.parametrize("isa", ISAS)
@EVERY_TYPE
def test_chunks_and_tables_change_nothing(isa, half):
    heads = Heads(1, 3, 32)
    count = 300
    inputs = random_inputs(heads, count)
    bench = build(isa, heads, inputs, half=half, threads=2)
    whole = bits(bench.forward([(np.arange(count), 0, list(range(20)))]))
    table, start = shuffled_table(), 0
    for size in (1, 15, 16, 1, 17, 206, 1, 1, 42):
        rows = np.arange(start, start + size)
        result = bits(bench.forward([(rows, start, table)]))
        np.testing.assert_array_equal(result, whole[rows], f"{size} from {start}")
        start += size
    assert start == count


@pytest.mark.parametrize("isa", ISAS)
def test_sequences_of_a_batch_do_not_see_each_other(isa):
    heads = Heads(2, 2, 16)
    inputs = random_inputs(heads, 60)
    tables = [[5, 1], [2], [7, 0, 3]]
    chosen = [np.arange(20), np.array([33]), np.arange(59, 21, -1)]
    bench = build(isa, heads, inputs, half=True, threads=3)
    alone = [bits(bench.forward([(rows, 0, [8, 9, 10])])) for rows in chosen]
    pieces = [(rows, 0, table) for rows, table in zip(chosen, tables, strict=True)]
    np.testing.assert_array_equal(bits(bench.forward(pieces)), np.concatenate(alone))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("block_size", [16, 32, 64])
def test_the_length_of_a_block_changes_nothing(isa, block_size):
    heads = Heads(2, 2, 16)
    inputs = random_inputs(heads, 100)
    benches = [build(isa, heads, inputs, half=True, block_size=size) for size in (16, block_size)]
    results = [bits(bench.forward([(np.arange(100), 0, shuffled_table())])) for bench in benches]
    np.testing.assert_array_equal(results[0], results[1])


@EVERY_TYPE
@pytest.mark.parametrize("isa", ISAS)
def test_keys_are_rotated_on_their_way_into_the_cache(isa, half):
    heads = Heads(2, 2, 16)
    q, k, v = random_inputs(heads, 40)
    angles = (100.0 ** (-np.arange(8) / 8)).astype(np.float32)
    pieces = [(np.arange(40), 0, [2, 0, 1])]
    stored = build(isa, heads, (q, k, v), half=half, angles=angles).forward(pieces)
    bench = Bench(isa, 40, cache=Cache(num_blocks=3))
    a = bench.input(k)
    turn = bench.op(OpKind.rotary, 16, vector=bench.vector(angles))
    turned = bench.op(OpKind.rope, 32, a=a, b=turn, heads=heads.kv)
    rotated = bench.finish(turned, 32).forward(pieces)
    given = build(isa, heads, (q, rotated, v), half=half).forward(pieces)
    np.testing.assert_array_equal(bits(stored), bits(given))
    assert (stored != build(isa, heads, (q, k, v), half=half).forward(pieces)).any()


@pytest.mark.parametrize("isa", ISAS)
def test_halves_round_to_nearest_even(isa):
    """One position has weight 1: its value comes out as the cache has it."""
    heads = Heads(1, 1, 16)
    q, k, v = random_inputs(heads, 30)
    with np.errstate(over="ignore"):
        v[:] = np.random.default_rng(0).uniform(-1, 1, v.shape) * 10.0 ** np.arange(-25, 5)[:, None]
        v[0, :4] = 1 + 2.0**-11, 1 + 3 * 2.0**-11, 2.0**-24 * 1.5, 65519
    bench = build(isa, heads, (q, k, v), half=True)
    result = bench.forward([([row], 0, [row]) for row in range(30)])
    np.testing.assert_array_equal(result, v.astype(np.float16).astype(np.float32))
