"""Quantizing at load, beside the same in numpy and the `gguf` package's reading and quantizer."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.quantize_reference import quantize_reference

from foretell.backends.native.weights.quantize import quantize_rows, to_float32
from foretell.formats.types import TensorType

PACKAGE_TYPES = {
    TensorType.Q8_0: gguf.GGMLQuantizationType.Q8_0,
    TensorType.Q4_1: gguf.GGMLQuantizationType.Q4_1,
}
Q8, Q4 = TensorType.Q8_0, TensorType.Q4_1


def store(weights: np.ndarray, kind: TensorType) -> np.ndarray:
    """The bytes of float32 weights in a file of this type."""
    if kind is TensorType.BF16:
        bits = weights.astype(np.float32).view(np.uint32) >> 16
        return bits.astype(np.uint16).view(np.uint8).reshape(-1)
    dtype = np.float32 if kind is TensorType.F32 else np.float16
    return weights.astype(dtype).view(np.uint8).reshape(-1)


def quantized(weights: np.ndarray, target: TensorType) -> np.ndarray:
    """What the weights are after quantizing, by the package's reading."""
    packed = quantize_rows(store(weights, TensorType.F32), TensorType.F32, target)
    assert packed.size == target.nbytes(weights.size)
    return gguf.dequantize(packed.reshape(len(weights), -1), PACKAGE_TYPES[target])


def random_weights(rows: int, cols: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((rows, cols)) * rng.lognormal(-3, 1, (rows, 1))
    return weights.astype(np.float32)


@pytest.mark.parametrize("target", [Q8, Q4])
@pytest.mark.parametrize("kind", [TensorType.F32, TensorType.F16, TensorType.BF16])
def test_every_float_type_is_read_exactly(kind: TensorType, target: TensorType) -> None:
    data = store(random_weights(7, 96), kind)
    exact = to_float32(data, kind)
    again = quantize_rows(store(exact, TensorType.F32), TensorType.F32, target)
    np.testing.assert_array_equal(quantize_rows(data, kind, target), again)


@pytest.mark.parametrize("target", [Q8, Q4])
@given(
    groups=st.integers(1, 40),
    seed=st.integers(0, 2**16),
    size=st.floats(-12, 3),
    outlier=st.floats(0, 100),
)
def test_bits_equal_the_reference(
    groups: int, seed: int, size: float, outlier: float, target: TensorType
) -> None:
    weights = random_weights(groups, 32, seed) * np.float32(2.0**size)
    weights[seed % groups, seed % 32] *= np.float32(outlier)
    data = store(weights, TensorType.F32)
    expected = quantize_reference(weights, target)
    np.testing.assert_array_equal(quantize_rows(data, TensorType.F32, target), expected)


def test_q8_codes_are_the_nearest() -> None:
    weights = random_weights(515, 160)
    scale = np.abs(weights.reshape(-1, 32)).max(axis=1) / np.float32(127)
    half = scale.astype(np.float16).astype(np.float32)
    error = np.abs(quantized(weights, Q8) - weights).reshape(-1, 32)
    inside = np.abs(weights.reshape(-1, 32)) <= 127 * half[:, None]
    assert (error <= half[:, None] * 0.5001)[inside].all()


@pytest.mark.parametrize("target", [Q8, Q4])
def test_errors_are_no_larger_than_the_packages(target: TensorType) -> None:
    weights = random_weights(64, 512)
    theirs = gguf.dequantize(gguf.quantize(weights, PACKAGE_TYPES[target]), PACKAGE_TYPES[target])

    def group_errors(values: np.ndarray) -> np.ndarray:
        return ((values - weights).reshape(-1, 32) ** 2).sum(axis=1)

    ours, other = group_errors(quantized(weights, target)), group_errors(theirs)
    assert (ours <= other * 1.001).mean() > (0.99 if target is Q4 else 0.4)
    assert ours.sum() < other.sum() * (0.9 if target is Q4 else 1.001)


def test_q4_is_near_the_best_of_a_fine_search() -> None:
    """Brute force: many scales and minima a group, the nearest codes of each."""
    weights = random_weights(12, 32, seed=1)
    low, high = weights.min(axis=1), weights.max(axis=1)
    best = np.full(len(weights), np.inf)
    for begin in np.linspace(-0.02, 0.25, 40):
        for end in np.linspace(-0.02, 0.25, 40):
            minimum = low + (high - low) * begin
            scale = (high - low) * (1 - begin - end) / 15
            codes = np.clip(np.rint((weights - minimum[:, None]) / scale[:, None]), 0, 15)
            fitted = minimum[:, None] + scale[:, None] * codes
            best = np.minimum(best, ((fitted - weights) ** 2).sum(axis=1))
    ours = ((quantized(weights, Q4) - weights) ** 2).sum(axis=1)
    assert (ours < best * 1.25).all()
    assert ours.sum() < best.sum() * 1.08


@pytest.mark.parametrize("target", [Q8, Q4])
def test_constant_and_zero_groups_are_kept(target: TensorType) -> None:
    weights = np.zeros((3, 32), np.float32)
    weights[1] = 0.5
    weights[2] = -2.0
    np.testing.assert_allclose(quantized(weights, target), weights, rtol=2**-11)


SMALLEST_STEP = 128 * 2.0**-25  # of a float16 scale
ANY_WEIGHTS = arrays(np.float32, (2, 32), elements=st.floats(-1e4, 1e4, width=32))
OUTLIERS = np.full((1, 32), -2918, np.float32)
OUTLIERS[0, :11] = [0, 8691, 14, -8429, 130, 0, 0, 0, 3, 4595, 3624]


@given(weights=ANY_WEIGHTS)
def test_any_weights_stay_within_half_a_step_of_q8(weights: np.ndarray) -> None:
    values = quantized(weights, Q8)
    assert np.isfinite(values).all()
    span = np.abs(weights).max(axis=1, keepdims=True)
    assert (np.abs(values - weights) <= span * 0.008 + SMALLEST_STEP).all()


@example(weights=OUTLIERS)
@given(weights=ANY_WEIGHTS)
def test_any_weights_are_no_farther_from_q4_than_half_a_step_of_their_range(
    weights: np.ndarray,
) -> None:
    """In the mean of squares, as the best fit may sacrifice an outlier: half a step is span / 15,
    and float16 rounds scale and minimum."""
    values = quantized(weights, Q4)
    assert np.isfinite(values).all()
    errors = np.sqrt(((values.astype(np.float64) - weights) ** 2).mean(axis=1))
    assert (errors <= np.abs(weights).max(axis=1) * 0.0685 + SMALLEST_STEP).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("target", [Q8, Q4])
def test_what_is_no_number_is_refused(value: float, target: TensorType) -> None:
    weights = random_weights(4, 64)
    weights[2, 5] = value
    with pytest.raises(ValueError, match="NaN or infinite"):
        quantized(weights, target)
