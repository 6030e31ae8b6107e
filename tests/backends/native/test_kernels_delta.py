"""The gated delta rule on every instruction set, against float64."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from support.kernel_bench import ISAS, UNIT, Bench, Cache, bits

from foretell.backends.native._core import OpKind

TOKENS = 40


@dataclass(frozen=True)
class Shape:
    key_heads: int
    heads: int
    size: int
    dim: int
    takes_turns: bool = False

    @property
    def channels(self) -> int:
        return self.heads * self.dim

    @property
    def state_size(self) -> int:
        return self.channels * self.size

    def key_head(self, head: int) -> int:
        return head % self.key_heads if self.takes_turns else head * self.key_heads // self.heads


SHAPES = {
    "one": Shape(1, 1, 16, 16),
    "odd": Shape(2, 2, 5, 16),
    "as wide as published": Shape(1, 2, 128, 128),
    "neighbours": Shape(2, 6, 19, 32),
    "turns": Shape(2, 6, 19, 32, takes_turns=True),
}
ON_ALL = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


@dataclass(frozen=True)
class Inputs:
    """What a token brings: queries, keys and values, steps, strengths; and what heads have."""

    x: np.ndarray
    steps: np.ndarray
    strengths: np.ndarray
    rates: np.ndarray
    bias: np.ndarray


def random_inputs(shape, seed=0):
    rng = np.random.default_rng(seed)

    def normal(*sizes):
        return rng.standard_normal(sizes).astype(np.float32)

    x = normal(TOKENS, 2 * shape.key_heads * shape.size + shape.channels)
    per_token = (normal(TOKENS, shape.heads) for _ in range(2))
    rates = -np.exp(normal(shape.heads) - 3)  # so that much is kept
    return Inputs(x, *per_token, rates.astype(np.float32), normal(shape.heads))


def unit(x):
    return x / np.sqrt((x**2).sum(axis=-1, keepdims=True) + 1e-6)


def exact(shape, given):
    """As arXiv 2412.06464 has it, in float64, one token and head after the other."""
    x, steps, strengths = (
        values.astype(np.float64) for values in (given.x, given.steps, given.strengths)
    )
    q, k, v = np.split(x, [shape.key_heads * shape.size, 2 * shape.key_heads * shape.size], axis=1)
    q, k = (unit(each.reshape(TOKENS, shape.key_heads, shape.size)) for each in (q, k))
    v = v.reshape(TOKENS, shape.heads, shape.dim)
    out = np.zeros((TOKENS, shape.heads, shape.dim))
    for head in range(shape.heads):
        state, shared = np.zeros((shape.size, shape.dim)), shape.key_head(head)
        for n in range(TOKENS):
            step = np.log1p(np.exp(steps[n, head] + given.bias[head].astype(np.float64)))
            state *= np.exp(given.rates[head].astype(np.float64) * step)
            missing = v[n, head] - k[n, shared] @ state
            state += np.outer(k[n, shared], missing / (1 + np.exp(-strengths[n, head])))
            out[n, head] = q[n, shared] @ state / np.sqrt(shape.size)
    return out.reshape(TOKENS, -1)


def doubled(bench, values):
    """An input that is computed of its halves: so it may be infinite, which no weight may be."""
    largest = np.finfo(np.float32).max
    half, width = bench.input(np.minimum(values / 2, largest)), values.shape[1]
    return bench.op(OpKind.scale, width, a=half, scalar=2.0)


def make_bench(shape, given, isa, threads=1):
    cache = Cache(num_blocks=4, state_size=shape.state_size)
    bench = Bench(isa, TOKENS, threads=threads, cache=cache)
    heads = np.repeat([given.rates, given.bias], shape.dim, axis=1)
    a, b, c = (doubled(bench, half) for half in (given.x, given.steps, given.strengths))
    out = bench.op(
        OpKind.delta_rule,
        shape.channels,
        a=a,
        b=b,
        c=c,
        vector=bench.vector(heads.reshape(-1)),
        heads=shape.heads,
        interleaved=shape.takes_turns,
        state=0,
        state_size=shape.size,
    )
    return bench.finish(out, shape.channels)


def run(shape, given, isa, threads=1, cuts=()):
    """Results of all tokens, which come in pieces, cut at these positions."""
    bench, table = make_bench(shape, given, isa, threads), [2, 0, 3]
    edges = [0, *cuts, TOKENS]
    pieces = [(np.arange(*edge), edge[0], table) for edge in pairwise(edges)]
    return np.concatenate([bench.forward([piece]) for piece in pieces])


@pytest.mark.parametrize("isa", ISAS)
@ON_ALL
def test_against_float64(shape, isa):
    given = random_inputs(shape)
    expected = exact(shape, given)
    allowed = (TOKENS + shape.size) * UNIT * np.abs(expected).max()
    np.testing.assert_array_less(np.abs(run(shape, given, isa) - expected), allowed)


@ON_ALL
def test_the_same_bits_everywhere(shape):
    given = random_inputs(shape, seed=1)
    expected = bits(run(shape, given, ISAS[0]))
    for isa in ISAS:
        for threads, cuts in ((1, range(1, TOKENS)), (2, ()), (3, (7, 16, 30))):
            result = bits(run(shape, given, isa, threads, cuts))
            np.testing.assert_array_equal(result, expected, f"{isa} {threads} {cuts}")


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("part", ["x", "steps", "strengths"])
def test_what_is_not_finite_is_seen(part, isa):
    """And not clamped to what would pass for an answer."""
    shape = SHAPES["neighbours"]
    given = random_inputs(shape)
    getattr(given, part)[20] = np.inf
    result = run(shape, given, isa)
    assert np.isfinite(result[:20]).all()
    assert np.isnan(result[20:]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 5}, "multiple of 16 channels"),
        ({"state_size": 7}, "queries and keys do not fit"),
        ({"b": 0}, "a step and a strength for each head"),
        ({"vector": 1}, "rates and biases"),
        ({"state": 16}, "does not fit the blocks"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    shape = SHAPES["neighbours"]
    given = random_inputs(shape)
    bench = Bench(ISAS[0], TOKENS, cache=Cache(num_blocks=4, state_size=shape.state_size))
    inputs = [bench.input(each) for each in (given.x, given.steps, given.strengths)]
    vectors = [bench.vector(np.ones(size)) for size in (2 * shape.channels, 3)]
    usual = dict(zip("abc", inputs, strict=True)) | {
        "vector": vectors[0],
        "heads": shape.heads,
        "state": 0,
        "state_size": shape.size,
    }
    out = bench.op(OpKind.delta_rule, shape.channels, **usual | changes)
    with pytest.raises(ValueError, match=message):
        bench.finish(out, shape.channels)
