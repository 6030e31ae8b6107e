import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.processor_rows import logits, long_logits, ours

from foretell.decoding.processors.sigma import TopNSigma
from foretell.decoding.processors.temperature import Temperature
from foretell.errors import ConfigError

ROWS = st.one_of(logits(min_size=3), long_logits())


def by_formula(row, n):
    """The ids kept and the threshold, logit by logit in float64."""
    finite = [float(x) for x in row if x > -np.inf]
    mean = sum(finite) / len(finite)
    variance = sum((x - mean) ** 2 for x in finite) / len(finite)
    threshold = max(finite) - n * variance**0.5
    return [i for i, x in enumerate(row.tolist()) if x >= threshold], threshold


@settings(deadline=None)
@given(ROWS, st.floats(0.01, 5))
def test_it_keeps_what_lies_within_n_sigma(row, n):
    kept, threshold = by_formula(row, n)
    assume(np.abs(row.astype(np.float64) - threshold).min() > 1e-9)
    result = ours(TopNSigma(n), row)
    assert np.flatnonzero(result > -np.inf).tolist() == kept
    np.testing.assert_array_equal(result[kept], row[kept])


@settings(deadline=None)
@given(ROWS, st.floats(0.01, 5), st.sampled_from([2, 3, 10, 10**400]))
def test_it_leaves_as_many_as_are_asked_for(row, n, least):
    kept, threshold = by_formula(row, n)
    assume(np.abs(row.astype(np.float64) - threshold).min() > 1e-9)
    falling = np.sort(row)[::-1]
    bound = falling[min(least, len(row)) - 1]  # and what equals the last of them
    expected = sorted({*kept, *np.flatnonzero((row >= bound) & (row > -np.inf)).tolist()})
    assert np.flatnonzero(ours(TopNSigma(n, least), row) > -np.inf).tolist() == expected


def test_sigma_is_that_of_the_population():
    row = np.array([1, -np.inf, 3, -1], np.float32)  # mean 1, σ = √(8/3) = 1.633
    assert np.flatnonzero(ours(TopNSigma(1.2), row) > -np.inf).tolist() == [2]
    assert np.flatnonzero(ours(TopNSigma(1.23), row) > -np.inf).tolist() == [0, 2]


def test_temperature_before_it_changes_nothing_of_what_is_kept():
    row = np.random.default_rng(1).normal(size=500).astype(np.float32) * 4
    kept = ours(TopNSigma(1.0), row) > -np.inf
    for temperature in (0.25, 2.0, 8.0):
        again = ours(TopNSigma(1.0), ours(Temperature(temperature), row)) > -np.inf
        np.testing.assert_array_equal(again, kept)


@pytest.mark.parametrize("row", [[2], [-np.inf, 5, -np.inf], [1, 1, 1]])
def test_the_largest_stay(row):
    row = np.array(row, np.float32)
    np.testing.assert_array_equal(ours(TopNSigma(1e-9), row), row)


def test_zero_is_off():
    row = np.array([0, 1, 2], np.float32)
    np.testing.assert_array_equal(ours(TopNSigma(0), row), row)


@pytest.mark.parametrize("n", [-1.0, float("nan"), "2"])
def test_other_numbers_are_refused(n):
    with pytest.raises(ConfigError, match="top_n_sigma="):
        TopNSigma(n)
