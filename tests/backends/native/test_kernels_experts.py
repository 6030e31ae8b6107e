"""Mixtures of experts on every instruction set: the choice, and products with the chosen alone."""

from __future__ import annotations

import numpy as np
import pytest
from support.kernel_bench import ISAS, Bench, bits, make_program
from support.random_tensors import dequantize, random_weights

from foretell.backends.native._core import OpKind, Routing, Scoring
from foretell.formats.types import TensorType

TOKENS, EXPERTS, WIDTH, HIDDEN = 37, 11, 64, 32
ON_EVERY_ISA = pytest.mark.parametrize("isa", ISAS)
KINDS = pytest.mark.parametrize(
    "kind",
    [TensorType.F32, TensorType.F16, TensorType.Q8_0, TensorType.Q4_0, TensorType.MXFP4],
    ids=lambda kind: kind.name,
)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def chosen(ranks, used):
    """The best, the lower index first among equals; ascending."""
    return np.sort(np.argsort(-ranks, axis=-1, kind="stable")[:, :used], axis=-1)


def routed(isa, logits, routing, *, bias=None, is_normed=False):
    """`(tokens, experts)`: each expert's weight, 0 where it was not chosen.

    Expert e of the mixture gives 1 at place e, and 0 elsewhere.
    """
    tokens, experts = logits.shape
    wide = -(-experts // 16) * 16
    bench = Bench(isa, tokens, threads=2)
    router = bench.input(logits)
    if is_normed:
        one = bench.vector(np.ones(experts))
        router = bench.op(OpKind.rms_norm, experts, a=router, vector=one)
    ones = bench.input(np.eye(1, 16, dtype=np.float32).repeat(tokens, axis=0))
    bench.program.add_op(OpKind.route, a=router, vector=bench.vector(bias), routing=routing)
    rows = bench.op(OpKind.dispatch, 16 * routing.used, a=ones, routing=routing)
    weights = np.zeros((experts, wide, 16), np.float32)
    weights[np.arange(experts), np.arange(experts), 0] = 1
    matrix = bench.matrix(TensorType.F32, weights.reshape(-1, 16), 16)
    out = bench.op(OpKind.combine, wide, a=rows, matrix=matrix, routing=routing)
    return bench.finish(out, wide).run()[:, :experts]


def spread(choice, weights, experts):
    """Weights `(tokens, used)` at the places of their experts."""
    out = np.zeros((len(choice), experts))
    np.put_along_axis(out, choice, weights, axis=-1)
    return out


def random_logits(experts=EXPERTS, tokens=TOKENS, seed=0):
    return np.random.default_rng(seed).standard_normal((tokens, experts)).astype(np.float32) * 2


@ON_EVERY_ISA
@pytest.mark.parametrize(("experts", "used"), [(1, 1), (2, 2), (8, 2), (40, 8), (130, 5)])
def test_softmax_of_the_chosen(isa, experts, used):
    logits = random_logits(experts)
    result = routed(isa, logits, Routing(experts, used, Scoring.chosen_softmax))
    choice = chosen(logits, used)
    weights = softmax(np.take_along_axis(logits, choice, axis=-1).astype(np.float64))
    np.testing.assert_allclose(result, spread(choice, weights, experts), atol=1e-6)


@ON_EVERY_ISA
@pytest.mark.parametrize("normalizes", [False, True])
def test_softmax_of_all(isa, normalizes):
    logits = random_logits()
    routing = Routing(EXPERTS, 3, Scoring.softmax, normalizes=normalizes, factor=2.5)
    choice = chosen(logits, 3)
    weights = np.take_along_axis(softmax(logits.astype(np.float64)), choice, axis=-1)
    if normalizes:
        weights /= weights.sum(axis=-1, keepdims=True)
    result = routed(isa, logits, routing)
    np.testing.assert_allclose(result, spread(choice, 2.5 * weights, EXPERTS), atol=1e-6)


@ON_EVERY_ISA
def test_a_bias_changes_the_choice_and_not_the_weights(isa):
    logits, bias = random_logits(), random_logits(tokens=1, seed=3)[0] / 4
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    choice = chosen(scores + bias, 4)
    assert (choice != chosen(scores, 4)).any()
    weights = np.take_along_axis(scores, choice, axis=-1)
    weights /= weights.sum(axis=-1, keepdims=True)
    routing = Routing(EXPERTS, 4, Scoring.sigmoid, normalizes=True)
    result = routed(isa, logits, routing, bias=bias)
    np.testing.assert_allclose(result, spread(choice, weights, EXPERTS), atol=1e-6)


@ON_EVERY_ISA
@pytest.mark.parametrize("eps", [0.0, 1e-20, 1e-6, 0.5])
def test_what_is_added_to_the_sum(isa, eps):
    logits = random_logits() - 14
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    choice = chosen(scores, 4)
    weights = np.take_along_axis(scores, choice, axis=-1)
    weights /= weights.sum(axis=-1, keepdims=True) + eps
    routing = Routing(EXPERTS, 4, Scoring.sigmoid, normalizes=True, eps=eps)
    result = routed(isa, logits, routing)
    np.testing.assert_allclose(result, spread(choice, weights, EXPERTS), rtol=1e-5, atol=1e-12)


@ON_EVERY_ISA
@pytest.mark.parametrize("group_best", [1, 2])
def test_experts_of_the_best_groups_alone(isa, group_best):
    logits = random_logits(24)
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    groups = np.sort(scores.reshape(TOKENS, 6, 4), axis=-1)[..., -group_best:].sum(axis=-1)
    best = chosen(groups, 2)
    kept = np.zeros((TOKENS, 6), bool)
    np.put_along_axis(kept, best, True, axis=-1)
    choice = chosen(np.where(kept.repeat(4, axis=-1), scores, -1), 5)
    routing = Routing(24, 5, Scoring.sigmoid, groups=6, groups_used=2, group_best=group_best)
    weights = np.take_along_axis(scores, choice, axis=-1)
    result = routed(isa, logits, routing)
    np.testing.assert_allclose(result, spread(choice, weights, 24), atol=1e-6)


@ON_EVERY_ISA
@pytest.mark.parametrize(("scoring", "weight"), [("softmax", 1 / 6), ("chosen_softmax", 0.25)])
def test_the_lower_index_wins_among_equals(isa, scoring, weight):
    result = routed(isa, np.zeros((3, 6), np.float32), Routing(6, 4, Scoring[scoring]))
    np.testing.assert_allclose(result, [[weight] * 4 + [0] * 2] * 3, rtol=1e-6)


@ON_EVERY_ISA
def test_logits_that_are_not_finite_are_seen(isa):
    logits = random_logits(tokens=3)
    logits[1] = 1e30  # no square of which is finite: its norm is NaN
    result = routed(isa, logits, Routing(EXPERTS, 2, Scoring.chosen_softmax), is_normed=True)
    assert np.isnan(result[1]).any()
    assert np.isfinite(result[[0, 2]]).all()


def mixture(isa, kind, *, int8, threads=1, used=3, room=TOKENS, seed=0):
    """Two layers of experts with biases, a residual; and what they are made of."""
    rng = np.random.default_rng(seed)
    bench = Bench(isa, room, threads=threads)
    x = rng.standard_normal((room, WIDTH)).astype(np.float32)
    logits = random_logits(tokens=room, seed=seed)
    routing = Routing(EXPERTS, used, Scoring.chosen_softmax)
    a, router, residual = bench.input(x), bench.input(logits), bench.input(2 * x)
    bench.program.add_op(OpKind.route, a=router, routing=routing)
    unit = kind.block_size
    up = random_weights(kind, EXPERTS * HIDDEN, WIDTH // unit, rng)
    down = random_weights(kind, EXPERTS * WIDTH, HIDDEN // unit, rng)
    up_bias = rng.standard_normal(EXPERTS * HIDDEN).astype(np.float32)
    down_bias = rng.standard_normal(EXPERTS * WIDTH).astype(np.float32)

    codes = {}
    if int8:
        codes = {"codes": bench.program.add_codes(used * WIDTH, False)}
        bench.program.add_op(OpKind.dispatch, a=a, routing=routing, **codes)
    else:
        codes = {"a": bench.op(OpKind.dispatch, used * WIDTH, a=a, routing=routing)}
    h = bench.op(
        OpKind.experts,
        used * HIDDEN,
        matrix=bench.matrix(kind, up, WIDTH),
        vector=bench.vector(up_bias),
        routing=routing,
        **codes,
    )
    codes = {"codes": bench.quantize(h, used * HIDDEN)} if int8 else {"a": h}
    out = bench.op(
        OpKind.combine,
        WIDTH,
        b=residual,
        matrix=bench.matrix(kind, down, HIDDEN),
        vector=bench.vector(down_bias),
        routing=routing,
        **codes,
    )
    parts = (x, logits, dequantize(kind, up), up_bias, dequantize(kind, down), down_bias)
    return bench.finish(out, WIDTH), parts


def exact_mixture(parts, used=3):
    x, logits, up, up_bias, down, down_bias = (np.float64(part) for part in parts)
    up, down = up.reshape(EXPERTS, HIDDEN, WIDTH), down.reshape(EXPERTS, WIDTH, HIDDEN)
    h = np.einsum("ehw,nw->neh", up, x) + up_bias.reshape(EXPERTS, HIDDEN)
    y = np.einsum("ewh,neh->new", down, h) + down_bias.reshape(EXPERTS, WIDTH)
    choice = chosen(logits, used)
    weights = spread(choice, softmax(np.take_along_axis(logits, choice, axis=-1)), EXPERTS)
    return 2 * x + np.einsum("ne,new->nw", weights, y)


@ON_EVERY_ISA
@KINDS
def test_products_with_the_chosen(isa, kind):
    bench, parts = mixture(isa, kind, int8=False)
    expected = exact_mixture(parts)
    np.testing.assert_allclose(bench.run(), expected, atol=2e-6 * np.abs(expected).max())


@ON_EVERY_ISA
@pytest.mark.parametrize("kind", [TensorType.Q8_0, TensorType.Q4_0], ids=lambda kind: kind.name)
def test_products_of_codes(isa, kind):
    bench, parts = mixture(isa, kind, int8=True)
    expected = exact_mixture(parts)
    np.testing.assert_allclose(bench.run(), expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize(("kind", "int8"), [(TensorType.Q4_0, True), (TensorType.F16, False)])
def test_bits_depend_on_nothing_but_the_token(kind, int8):
    expected = mixture(ISAS[0], kind, int8=int8)[0].run()
    for isa in ISAS:
        for threads in (1, 2, 3, 5):
            bench, _ = mixture(isa, kind, int8=int8, threads=threads)
            order = np.random.default_rng(threads).permutation(TOKENS)
            for rows in (order, order[:1], order[:5], order[::-1][:17]):
                np.testing.assert_array_equal(bits(bench.run(rows)), bits(expected[rows]))


def rows_of(isa, kind, *inputs):
    """The result of an operation on rows that lie in buffers a, b, c."""
    bench = Bench(isa, len(inputs[0]), threads=2)
    buffers = dict(zip("abc", map(bench.input, inputs), strict=False))
    width = inputs[0].shape[1]
    return bench.finish(bench.op(kind, width, **buffers), width).run()


WIDTHS = pytest.mark.parametrize("width", [1, 16, 35, 64])


@ON_EVERY_ISA
@WIDTHS
def test_clamped_swiglu(isa, width):
    rng = np.random.default_rng(width)
    gate, up = (5 * rng.standard_normal((6, width)).astype(np.float32) for _ in range(2))
    exact = np.float64(gate), np.float64(up)
    g, u = np.minimum(exact[0], 7), np.clip(exact[1], -7, 7)
    expected = g / (1 + np.exp(-1.702 * g)) * (u + 1)
    actual = rows_of(isa, OpKind.clamped_swiglu, gate, up)
    np.testing.assert_allclose(actual, expected, rtol=2e-6, atol=1e-6)
    plain = rows_of("plain", OpKind.clamped_swiglu, gate, up)
    np.testing.assert_array_equal(bits(actual), bits(plain))


def test_a_clamped_unit_without_values_is_refused():
    with pytest.raises(ValueError, match="has gate and values"):
        rows_of("plain", OpKind.clamped_swiglu, np.zeros((2, 16)))


@ON_EVERY_ISA
@WIDTHS
def test_add_gated(isa, width):
    rng = np.random.default_rng(width)
    x, more = (rng.standard_normal((6, width)).astype(np.float32) for _ in range(2))
    gate = np.float32([[-200], [-3], [0], [0.5], [4], [200]])
    actual = rows_of(isa, OpKind.add_gated, x, gate, more)
    with np.errstate(over="ignore"):
        expected = x + more / (1 + np.exp(-np.float64(gate)))
    np.testing.assert_allclose(actual, expected, rtol=2e-6, atol=1e-6)
    plain = rows_of("plain", OpKind.add_gated, x, gate, more)
    np.testing.assert_array_equal(bits(actual), bits(plain))


def test_a_stack_is_filled_part_by_part():
    program = make_program("plain", threads=2)
    values = np.random.default_rng(0).standard_normal((48, 32)).astype(np.float32)
    stack = program.add_stack(TensorType.F32.ggml_id, 48, 32)
    for begin in (32, 0, 16):
        part = np.ascontiguousarray(values[begin : begin + 16]).view(np.uint8).reshape(-1)
        program.fill(stack, begin, TensorType.F32.ggml_id, part, 16)
    assert program.pack() == -1
    np.testing.assert_array_equal(program.read_matrix(stack), values)


@pytest.mark.parametrize(
    ("begin", "rows", "kind"), [(8, 16, "F32"), (0, 8, "F32"), (48, 16, "F32"), (-16, 16, "F32")]
)
def test_parts_that_do_not_fit_a_stack_are_refused(begin, rows, kind):
    program = make_program("plain")
    stack = program.add_stack(TensorType[kind].ggml_id, 48, 32)
    data = np.zeros(rows * 32 * 4, np.uint8)
    with pytest.raises(ValueError, match="whole blocks of its rows"):
        program.fill(stack, begin, TensorType[kind].ggml_id, data, rows)


def test_a_part_of_another_format_is_refused():
    program = make_program("plain")
    stack = program.add_stack(TensorType.F32.ggml_id, 16, 32)
    with pytest.raises(ValueError, match="one format"):
        program.fill(stack, 0, TensorType.F16.ggml_id, np.zeros(16 * 32 * 2, np.uint8), 16)


@pytest.mark.parametrize(
    ("routing", "message"),
    [
        ({"experts": 12}, "a logit for each expert"),
        ({"used": 12}, "chooses among its experts"),
        ({"groups": 2}, "groups of experts are even"),
        ({"groups": 11, "groups_used": 1}, "hold enough"),
        ({"scoring": Scoring.sparse_mixer, "used": 3}, "takes two experts"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(routing, message):
    bench = Bench("plain", 2)
    settings = {"experts": EXPERTS, "used": 2, "scoring": Scoring.softmax} | routing
    x = bench.input(random_logits(tokens=2))
    bench.program.add_op(OpKind.route, a=x, routing=Routing(**settings))
    with pytest.raises(ValueError, match=message):
        bench.finish(x, EXPERTS)
