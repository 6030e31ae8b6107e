import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from processor_rows import Past, logits, ours, theirs
from transformers import (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from foretell.config import GenerationConfig
from foretell.decoding.chain import chain
from foretell.decoding.processors.temperature import Temperature
from foretell.decoding.processors.truncation import TopK, TopP


@given(logits(), st.floats(0.01, 100))
def test_temperature_is_transformers(row, temperature):
    expected = theirs(TemperatureLogitsWarper(temperature), row)
    np.testing.assert_array_equal(ours(Temperature(temperature), row), expected)


@pytest.mark.parametrize("temperature", [5e-324, 1e-45, 1e-30, 1e30, 3e38])
@pytest.mark.parametrize("largest", [-80.0, 0.0, 80.0])
def test_extreme_temperature_keeps_a_finite_maximum(temperature, largest):
    row = np.array([largest - 60, largest, -np.inf, largest - 1e-3, largest], np.float32)
    result = ours(Temperature(temperature), row)
    assert np.isfinite(result.max())
    assert result[1] == result[4] == result.max()
    assert result[2] == -np.inf
    if temperature < 1e-20:
        assert np.count_nonzero(result == result.max()) == 2  # greedy in the limit


@given(logits(), st.integers(1, 320))
def test_top_k_is_transformers(row, k):
    np.testing.assert_array_equal(ours(TopK(k), row), theirs(TopKLogitsWarper(k), row))


@pytest.mark.parametrize("size", [4096, 5003])
@pytest.mark.parametrize("k", [1, 7, 15, 16, 40, 4000])
@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_top_k_of_long_rows_is_transformers(size, k, decimals):
    noise = np.random.default_rng(size + k).normal(size=size) * 4
    row = noise.round(decimals).astype(np.float32)
    np.testing.assert_array_equal(ours(TopK(k), row), theirs(TopKLogitsWarper(k), row))


def is_at_the_cut(row, p):
    """Whether float64 sums in another order could fall on the other side of p."""
    weights = np.sort(np.exp(row.astype(np.float64) - row.max()))[::-1]
    reached = np.cumsum(weights / weights.sum())
    return bool(np.any(np.abs(reached - p) < 1e-12))


@given(logits(), st.floats(0, 1, exclude_max=True))
def test_top_p_is_transformers(row, p):
    assume(not is_at_the_cut(row, p))
    result, expected = ours(TopP(p), row), theirs(TopPLogitsWarper(p), row.astype(np.float64))
    # Which of equal logits stay is the sort's whim there, so the kept values are compared.
    np.testing.assert_array_equal(np.sort(result), np.sort(expected))
    if len(np.unique(row)) == len(row):
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 0.999, 1 - 1e-6])
@pytest.mark.parametrize("spread", [0.1, 4, 40])
def test_top_p_of_long_rows_is_transformers(p, spread):
    row = (np.random.default_rng(3).permutation(20_000) / 20_000 * spread).astype(np.float32)
    assert len(np.unique(row)) == len(row)
    assert not is_at_the_cut(row, p)
    expected = theirs(TopPLogitsWarper(p), row.astype(np.float64))
    np.testing.assert_array_equal(ours(TopP(p), row), expected)


@given(logits(), st.floats(0, 1, exclude_max=True))
def test_top_p_is_the_smallest_set_that_reaches_p(row, p):
    result = ours(TopP(p), row)
    weights = np.exp(row.astype(np.float64) - row.max())
    weights /= weights.sum()
    kept = np.flatnonzero(result > -np.inf)
    np.testing.assert_array_equal(result[kept], row[kept])
    assert weights[kept].sum() >= p - 1e-12
    assert len(kept) == 1 or weights[kept].sum() - weights[kept].min() < p + 1e-12
    assert weights[kept].min() >= np.delete(weights, kept).max(initial=0)


def test_top_p_keeps_the_crossing_token_and_lower_ids_among_equals():
    row = np.log(np.array([0.125, 0.25, 0.25, 0.25, 0.125], np.float32))
    assert np.flatnonzero(ours(TopP(0.5), row) > -np.inf).tolist() == [1, 2]
    assert np.flatnonzero(ours(TopP(0.51), row) > -np.inf).tolist() == [1, 2, 3]
    assert np.flatnonzero(ours(TopP(0.0), row) > -np.inf).tolist() == [1]
    np.testing.assert_array_equal(ours(TopP(1.0), row), row)


@given(
    logits(),
    st.floats(0.1, 5),
    st.integers(1, 50),
    st.floats(0.05, 0.95),
)
def test_chain_has_hugging_faces_order(row, temperature, k, p):
    settings = {"temperature": temperature, "top_k": k, "top_p": p}
    expected = row
    for warper in (TemperatureLogitsWarper(temperature), TopKLogitsWarper(k)):
        expected = theirs(warper, expected)
    assume(not is_at_the_cut(expected, p))
    expected = theirs(TopPLogitsWarper(p), expected.astype(np.float64))
    result = row.copy()
    for processor in chain(GenerationConfig(**settings)):
        processor(result, Past())
    np.testing.assert_array_equal(np.sort(result), np.sort(expected))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"do_sample": True}, []),
        ({"temperature": 0}, []),
        ({"temperature": 0, "top_k": 5}, []),
        ({"temperature": 1.0, "top_k": 0, "top_p": 1.0}, []),
        ({"top_k": 3}, [TopK]),
        ({"top_p": 0.5, "top_k": 3, "temperature": 2}, [Temperature, TopK, TopP]),
    ],
)
def test_chain_holds_what_is_on(settings, expected):
    assert [type(processor) for processor in chain(GenerationConfig(**settings))] == expected
