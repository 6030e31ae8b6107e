"""Norm, gate, rotation and quantization on every instruction set, against float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.kernel_bench import ISAS, UNIT, Bench, Cache, bits

from foretell.backends.native._core import OpKind
from foretell.backends.native.nodes import ACTIVATIONS
from foretell.formats.types import TensorType

ROWS = 9
TEAMS = [(isa, threads) for isa in ISAS for threads in (1, 2, 3)]
ON_EVERY_ISA = pytest.mark.parametrize("isa", ISAS)
WIDTHS = pytest.mark.parametrize("width", [1, 15, 16, 17, 64, 100])


def random_rows(width, seed=0):
    return np.random.default_rng(seed).standard_normal((ROWS, width), np.float32)


def assert_same_bits_everywhere(run):
    """`run(isa, threads, rows)` must give the same bits on any team, for any rows together."""
    everything = np.arange(ROWS)
    expected = bits(run(ISAS[0], 1, everything))
    for isa, threads in TEAMS:
        result = bits(run(isa, threads, everything))
        np.testing.assert_array_equal(result, expected, f"{isa}, {threads} threads")
    for rows in ([4], [8, 0, 3], [1, 2, 3, 4, 5]):
        np.testing.assert_array_equal(bits(run(ISAS[-1], 2, rows)), expected[rows])


class TestRmsNorm:
    EPS = 1e-5

    def run(self, isa, x, weight, threads=1, rows=None):
        bench = Bench(isa, ROWS, threads=threads)
        operands = {"a": bench.input(x), "vector": bench.vector(weight), "scalar": self.EPS}
        width = x.shape[1]
        return bench.finish(bench.op(OpKind.rms_norm, width, **operands), width).run(rows)

    @ON_EVERY_ISA
    @WIDTHS
    @pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
    def test_against_float64(self, isa, width, size):
        x, weight = random_rows(width) * np.float32(size), random_rows(width, seed=1)[0]
        exact = x.astype(np.float64)
        exact = exact / np.sqrt((exact**2).mean(axis=1, keepdims=True) + self.EPS) * weight
        allowed = (8 + width / 16) * UNIT * np.abs(exact)
        np.testing.assert_array_less(
            np.abs(self.run(isa, x, weight) - exact), allowed + np.finfo(np.float32).tiny
        )

    @WIDTHS
    def test_same_bits_everywhere(self, width):
        x, weight = random_rows(width), random_rows(width, seed=1)[0]
        assert_same_bits_everywhere(
            lambda isa, threads, rows: self.run(isa, x, weight, threads, rows)
        )

    @ON_EVERY_ISA
    @WIDTHS
    def test_squares_past_float32_give_nan(self, isa, width):
        """And not zeros, which would pass for an answer."""
        x, weight = random_rows(width), random_rows(width, seed=1)[0]
        x[3] *= np.float32(1e30) / np.abs(x[3]).max()
        result = self.run(isa, x, weight)
        assert np.isnan(result[3]).all()
        assert np.isfinite(np.delete(result, 3, axis=0)).all()

    @pytest.mark.parametrize("heads", [1, 4])
    def test_heads_apart_and_a_residual(self, heads):
        x, residual = random_rows(heads * 20), random_rows(heads * 20, seed=2)
        weight = random_rows(20, seed=1)[0]

        def run(isa, threads, rows):
            bench = Bench(isa, ROWS, threads=threads)
            inputs = {"a": bench.input(x), "b": bench.input(residual)}
            out = bench.op(
                OpKind.rms_norm,
                heads * 20,
                **inputs,
                vector=bench.vector(weight),
                scalar=self.EPS,
                heads=heads,
            )
            return bench.finish(out, heads * 20).run(rows)

        parts = [self.run(ISAS[0], part, weight) for part in np.split(x, heads, axis=1)]
        expected = residual + np.concatenate(parts, axis=1)
        np.testing.assert_array_equal(bits(run(ISAS[0], 1, None)), bits(expected))
        assert_same_bits_everywhere(run)

    def test_zeros_stay_zeros(self):
        zeros = np.zeros((ROWS, 20), np.float32)
        np.testing.assert_array_equal(self.run(ISAS[0], zeros, np.ones(20)), zeros)


class TestLayerNorm:
    EPS = 1e-5

    def run(self, isa, x, weight, bias, threads=1, rows=None):
        bench = Bench(isa, ROWS, threads=threads)
        vector = bench.vector(np.concatenate([weight, bias]))
        operands = {"a": bench.input(x), "vector": vector, "scalar": self.EPS}
        width = x.shape[1]
        return bench.finish(bench.op(OpKind.layer_norm, width, **operands), width).run(rows)

    def operands(self, width):
        return random_rows(width), random_rows(width, seed=1)[0], random_rows(width, seed=2)[0]

    @ON_EVERY_ISA
    @WIDTHS
    @pytest.mark.parametrize(("size", "middle"), [(1e-6, 0.0), (1.0, 0.0), (1e6, 0.0), (1.0, 9.0)])
    def test_against_float64(self, isa, width, size, middle):
        x, weight, bias = self.operands(width)
        x = x * np.float32(size) + np.float32(middle)
        exact = x.astype(np.float64)
        centred = exact - exact.mean(axis=1, keepdims=True)
        inverse = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + self.EPS)
        allowed = 12 * UNIT * (np.abs(centred * inverse * weight) + np.abs(bias))
        # the mean is as exact as float32 has it
        allowed += 6 * UNIT * np.abs(exact).max(axis=1, keepdims=True) * inverse * np.abs(weight)
        error = np.abs(self.run(isa, x, weight, bias) - (centred * inverse * weight + bias))
        np.testing.assert_array_less(error, allowed + np.finfo(np.float32).tiny)

    @WIDTHS
    def test_same_bits_everywhere(self, width):
        operands = self.operands(width)
        assert_same_bits_everywhere(
            lambda isa, threads, rows: self.run(isa, *operands, threads, rows)
        )

    @ON_EVERY_ISA
    @pytest.mark.parametrize("width", [15, 16, 17, 64, 100])
    def test_squares_past_float32_give_nan(self, isa, width):
        x, weight, bias = self.operands(width)
        x[3] *= np.float32(1e30) / np.abs(x[3]).max()
        result = self.run(isa, x, weight, bias)
        assert np.isnan(result[3]).all()
        assert np.isfinite(np.delete(result, 3, axis=0)).all()

    @pytest.mark.parametrize("is_shared", [True, False])
    def test_heads_apart(self, is_shared):
        """Each by the weights of all, or by its own."""
        x, both = random_rows(4 * 20), random_rows(4 * 20, seed=1)[:2]
        weight, bias = both[:, :20] if is_shared else both

        def run(isa, threads, rows):
            bench = Bench(isa, ROWS, threads=threads)
            vector = bench.vector(np.concatenate([weight, bias]))
            operands = {"vector": vector, "scalar": self.EPS, "heads": 4}
            out = bench.op(OpKind.layer_norm, 80, a=bench.input(x), **operands)
            return bench.finish(out, 80).run(rows)

        parts = [
            self.run(ISAS[0], x[:, at : at + 20], weight[own], bias[own])
            for at in range(0, 80, 20)
            for own in [slice(None) if is_shared else slice(at, at + 20)]
        ]
        expected = np.concatenate(parts, axis=1)
        np.testing.assert_array_equal(bits(run(ISAS[0], 1, None)), bits(expected))
        assert_same_bits_everywhere(run)

    def test_needs_weights_and_biases(self):
        bench = Bench(ISAS[0], ROWS)
        a, vector = bench.input(random_rows(16)), bench.vector(np.ones(16))
        out = bench.op(OpKind.layer_norm, 16, a=a, vector=vector)
        with pytest.raises(ValueError, match="weights and biases"):
            bench.finish(out, 16)


class TestClamp:
    @WIDTHS
    def test_values_stay_within(self, width):
        x = random_rows(width)

        def run(isa, threads, rows):
            bench = Bench(isa, ROWS, threads=threads)
            out = bench.op(OpKind.clamp, width, a=bench.input(x), scalar=0.7)
            return bench.finish(out, width).run(rows)

        bound = np.float32(0.7)
        np.testing.assert_array_equal(bits(run(ISAS[0], 1, None)), bits(x.clip(-bound, bound)))
        assert_same_bits_everywhere(run)

    def test_what_is_not_a_number_stays_so(self):
        bench = Bench(ISAS[0], ROWS)
        huge = bench.input(np.full((ROWS, 20), 1e30, np.float32))
        infinite = bench.op(OpKind.relu_squared, 20, a=huge)
        nan = bench.op(OpKind.add, 20, a=infinite, b=infinite, scalar=-1.0)
        out = bench.op(OpKind.clamp, 20, a=nan, scalar=3.0)
        assert np.isnan(bench.finish(out, 20).run()).all()


class TestSoftcap:
    SIZES = np.array([0, 1e-30, 1e-3, 0.69, 0.71, 5, 43, 44, 45, 1e20])

    def run(self, isa, x, cap, threads=1, rows=None):
        bench = Bench(isa, ROWS, threads=threads)
        width = x.shape[1]
        out = bench.op(OpKind.softcap, width, a=bench.input(x), scalar=cap)
        return bench.finish(out, width).run(rows)

    def operands(self, width, cap):
        x = random_rows(width) * (4.0 ** np.arange(-3, ROWS - 3))[:, None]
        edges = np.concatenate([self.SIZES, -self.SIZES])[:width]
        x[-1, : len(edges)] = edges
        return (x * cap).astype(np.float32)

    @ON_EVERY_ISA
    @WIDTHS
    @pytest.mark.parametrize("cap", [1.0, 50.0])
    def test_against_float64(self, isa, width, cap):
        x = self.operands(width, cap)
        exact = cap * np.tanh(x.astype(np.float64) / cap)
        error = np.abs(self.run(isa, x, cap) - exact)
        np.testing.assert_array_less(error, 6 * UNIT * np.abs(exact) + np.finfo(np.float32).tiny)

    @WIDTHS
    def test_same_bits_everywhere(self, width):
        x = self.operands(width, 30.0)
        assert_same_bits_everywhere(
            lambda isa, threads, rows: self.run(isa, x, 30.0, threads, rows)
        )

    @ON_EVERY_ISA
    def test_what_is_not_a_number_stays_so(self, isa):
        bench = Bench(isa, ROWS)
        huge = bench.input(np.full((ROWS, 20), 1e30, np.float32))
        infinite = bench.op(OpKind.relu_squared, 20, a=huge)
        nan = bench.op(OpKind.add, 20, a=infinite, b=infinite, scalar=-1.0)
        out = bench.op(OpKind.softcap, 20, a=nan, scalar=30.0)
        assert np.isnan(bench.finish(out, 20).run()).all()


class TestActivations:
    """f(gate), and times `up` where there is one."""

    SIZES = np.array([0, 1e-30, 9, 11, 20, 86.9, 87.5, 700, 1e20])
    EDGES = np.concatenate([SIZES, -SIZES])
    KINDS = pytest.mark.parametrize("kind", ACTIVATIONS, ids=lambda kind: kind.name)

    def run(self, kind, isa, gate, up=None, threads=1, rows=None):
        bench = Bench(isa, ROWS, threads=threads)
        width = gate.shape[1]
        operands = {"a": bench.input(gate)} | ({} if up is None else {"b": bench.input(up)})
        return bench.finish(bench.op(kind, width, **operands), width).run(rows)

    def operands(self, width):
        gate, up = random_rows(width), random_rows(width, seed=1)
        gate *= np.float32(3) ** np.arange(-2, ROWS - 2, dtype=np.float32)[:, None]
        count = min(width, len(self.EDGES))
        gate[-1, :count] = self.EDGES[:count]
        return gate, up

    def exact(self, kind, x):
        """float64 results, and what relative error float32 may make in each."""
        with np.errstate(over="ignore"):
            if kind == OpKind.gelu:
                u = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
                # an error of the exponent, which is a relative one of the result
                return x / (1 + np.exp(-2 * u)), 10 + 3 * np.clip(np.abs(2 * u), 0, 90)
            if kind == OpKind.gelu_erf:
                below = 0.5 * torch.special.erfc(torch.from_numpy(-x / np.sqrt(2))).numpy()
                return x * below, 10 + np.clip(x**2, 0, 180)
            if kind in (OpKind.silu_mul, OpKind.sigmoid):
                s = 1 / (1 + np.exp(-x))
                return (s if kind == OpKind.sigmoid else s * x), 10
            positive = np.maximum(x, 0)
            return (positive if kind == OpKind.relu else positive**2), 2

    @ON_EVERY_ISA
    @KINDS
    @WIDTHS
    def test_against_float64(self, isa, kind, width):
        gate, up = self.operands(width)
        if kind == OpKind.relu_squared:
            gate = gate.clip(-1e18, 1e18)
        exact, relative = self.exact(kind, gate.astype(np.float64))
        vanishing = np.maximum(1, np.abs(gate)) * np.exp(-86.9)  # below e^-87 nothing
        for factor in (None, up):
            size = 1 if factor is None else factor
            error = np.abs(self.run(kind, isa, gate, factor) - exact * size)
            allowed = (relative * UNIT * np.abs(exact) + vanishing) * np.abs(size)
            np.testing.assert_array_less(error, allowed + np.finfo(np.float32).tiny)

    @KINDS
    @WIDTHS
    def test_same_bits_everywhere(self, kind, width):
        gate, up = self.operands(width)
        for factor in (None, up):
            assert_same_bits_everywhere(
                lambda isa, threads, rows, f=factor: self.run(kind, isa, gate, f, threads, rows)
            )

    @ON_EVERY_ISA
    @KINDS
    def test_what_is_not_a_number_stays_so(self, isa, kind):
        bench = Bench(isa, ROWS)
        huge = bench.input(np.full((ROWS, 20), 1e30, np.float32))
        infinite = bench.op(OpKind.relu_squared, 20, a=huge)
        nan = bench.op(OpKind.add, 20, a=infinite, b=infinite, scalar=-1.0)
        assert np.isnan(bench.finish(bench.op(kind, 20, a=nan), 20).run()).all()


class TestEmbeddings:
    def test_a_factor(self):
        matrix = random_rows(20)
        for isa, threads in TEAMS:
            bench = Bench(isa, ROWS, threads=threads)
            weights = bench.matrix(TensorType.F32, matrix, 20)
            out = bench.op(OpKind.embed, 20, matrix=weights, scalar=2.7)
            expected = matrix * np.float32(2.7)
            np.testing.assert_array_equal(bits(bench.finish(out, 20).run()), bits(expected))

    def test_positions(self):
        x, matrix = random_rows(20), random_rows(20, seed=1)
        for isa, threads in TEAMS:
            bench = Bench(isa, ROWS, threads=threads)
            weights = bench.matrix(TensorType.F32, matrix, 20)
            out = bench.op(OpKind.add_positions, 20, a=bench.input(x), matrix=weights)
            result = bench.finish(out, 20).forward([([4, 2], 3, [0]), ([8], 0, [0])])
            expected = x[[4, 2, 8]] + matrix[[3, 4, 0]]
            np.testing.assert_array_equal(bits(result), bits(expected))


class TestScaleAndAdd:
    @WIDTHS
    @pytest.mark.parametrize("factor", [1.0, 0.22, -3.7])
    def test_each_is_a_product_and_a_sum(self, width, factor):
        """Rounded one after the other, as transformers does it."""
        x, more = random_rows(width), random_rows(width, seed=1)
        scaled = np.float32(factor) * x
        added = x + np.float32(factor) * more
        for kind, expected in ((OpKind.scale, scaled), (OpKind.add, added)):

            def run(isa, threads, rows, kind=kind):
                bench = Bench(isa, ROWS, threads=threads)
                second = {"b": bench.input(more)} if kind == OpKind.add else {}
                out = bench.op(kind, width, a=bench.input(x), scalar=factor, **second)
                return bench.finish(out, width).run(rows)

            np.testing.assert_array_equal(bits(run(ISAS[0], 1, None)), bits(expected))
            assert_same_bits_everywhere(run)


@ON_EVERY_ISA
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", [OpKind.rms_norm, OpKind.layer_norm, *ACTIVATIONS], ids=str)
def test_a_fused_quantization_is_the_separate_one(isa, threads, kind):
    """The codes that an operation makes on its way equal those made of its output."""
    x, width = random_rows(96), 96
    outputs = []
    for fused in (True, False):
        bench = Bench(isa, ROWS, threads=threads)
        a = bench.input(x)
        second = {"vector": bench.vector(x[0]), "scalar": 1e-5}
        if kind == OpKind.layer_norm:
            second["vector"] = bench.vector(x[:2].reshape(-1))
        if kind in ACTIVATIONS:
            second = {"b": bench.input(x[::-1])}
        codes = bench.program.add_codes(width, False)
        out = bench.op(kind, width, a=a, codes=codes if fused else -1, **second)
        if not fused:
            bench.program.add_op(OpKind.quantize, a=out, codes=codes)
        weights = bench.matrix(*identity_q8_0(width))
        product = bench.op(OpKind.linear, width, a=out, codes=codes, matrix=weights)
        outputs.append(bits(bench.finish(product, width).run()))
    np.testing.assert_array_equal(outputs[0], outputs[1])


def identity_q8_0(width):
    """The identity matrix in Q8_0: type, bytes, columns."""
    from support.random_tensors import quantize

    return TensorType.Q8_0, quantize(TensorType.Q8_0, np.eye(width, dtype=np.float32)), width


class TestRope:
    HEADS, DIM = 3, 32

    def run(
        self, isa, x, frequencies, *, interleaved=False, factor=1.0, first=0, threads=1, rows=None
    ):
        bench = Bench(isa, ROWS, threads=threads, cache=Cache(num_blocks=1))
        a, width = bench.input(x), x.shape[1]
        vector = bench.vector(frequencies)
        angles = bench.op(OpKind.rope_table, 2 * len(frequencies), vector=vector, scalar=factor)
        out = bench.op(OpKind.rope, width, a=a, b=angles, heads=self.HEADS, interleaved=interleaved)
        rows = np.arange(ROWS) if rows is None else rows
        table = [0] * ((first + len(rows)) // 16 + 1)
        return bench.finish(out, width).forward([(rows, first, table)])

    def frequencies(self, pairs):
        return (10_000.0 ** (-np.arange(pairs) / pairs)).astype(np.float32)

    @ON_EVERY_ISA
    @pytest.mark.parametrize("first", [0, 70_000, 2**24 - 1000])
    def test_cosines_and_sines_are_rounded_once(self, isa, first):
        """Not as the C library says, which is another on another machine."""
        frequencies = self.frequencies(16)
        x = np.tile(np.repeat(np.float32([1, 0]), 16), (ROWS, self.HEADS))
        found = self.run(isa, x, frequencies, first=first)[:, : self.DIM]
        positions = np.arange(first, first + ROWS).astype(np.float32)
        angles = (positions[:, None] * frequencies).astype(np.float64)
        exact = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
        units = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
        assert (np.abs(found - exact) <= 0.5001 * units).all()

    @ON_EVERY_ISA
    @pytest.mark.parametrize("interleaved", [False, True])
    @pytest.mark.parametrize("first", [0, 1000, 70_000])
    @pytest.mark.parametrize("pairs", [16, 12, 1])  # of 16: the rest of a head stays as it is
    @pytest.mark.parametrize("factor", [1.0, 1.19])
    def test_against_complex_numbers(self, isa, interleaved, first, pairs, factor):
        x, frequencies = random_rows(self.HEADS * self.DIM), self.frequencies(pairs)
        positions = np.arange(first, first + ROWS).astype(np.float32)
        turns = np.exp(1j * (positions[:, None] * frequencies).astype(np.float64))
        exact = x.astype(np.float64).reshape(ROWS, self.HEADS, self.DIM)
        real, imaginary = np.s_[..., :pairs], np.s_[..., pairs : 2 * pairs]
        if interleaved:
            real, imaginary = np.s_[..., 0 : 2 * pairs : 2], np.s_[..., 1 : 2 * pairs : 2]
        turned = (exact[real] + 1j * exact[imaginary]) * turns[:, None] * factor
        exact[real], exact[imaginary] = turned.real, turned.imag
        ways = {"interleaved": interleaved, "factor": factor, "first": first}
        result = self.run(isa, x, frequencies, **ways)
        sizes = factor * np.abs(x).max()
        np.testing.assert_allclose(result, exact.reshape(ROWS, -1), rtol=0, atol=8 * UNIT * sizes)

    def test_same_bits_everywhere(self):
        x, frequencies = random_rows(self.HEADS * self.DIM), self.frequencies(16)
        expected = bits(self.run(ISAS[0], x, frequencies, first=1000))
        for isa, threads in TEAMS:
            result = bits(self.run(isa, x, frequencies, first=1000, threads=threads))
            np.testing.assert_array_equal(result, expected)
            some = self.run(isa, x, frequencies, first=1004, threads=threads, rows=[4, 5])
            np.testing.assert_array_equal(bits(some), expected[4:6])
