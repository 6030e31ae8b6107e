import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.processor_rows import logits, long_logits, ours

from foretell.decoding.processors.dynamic_temperature import DynamicTemperature
from foretell.errors import ConfigError

ROWS = st.one_of(logits(min_size=3), long_logits())


def by_formula(row, temperature, spread, exponent):
    """T in float64, from log-probabilities."""
    x = row[row > -np.inf].astype(np.float64)
    logprobs = x - x.max() - math.log(math.fsum(np.exp(x - x.max())))
    share = -math.fsum(np.exp(logprobs) * logprobs) / math.log(len(x))
    low, high = max(0.0, temperature - spread), temperature + spread
    return low + (high - low) * min(1.0, max(0.0, share)) ** exponent


@settings(deadline=None)
@given(ROWS, st.floats(0.6, 3), st.floats(0, 0.5), st.floats(0.1, 5))
def test_it_is_the_formula(row, temperature, spread, exponent):
    result = ours(DynamicTemperature(temperature, spread, exponent), row)
    if np.count_nonzero(row > -np.inf) == 1:
        np.testing.assert_array_equal(result, row)
        return
    expected = row.astype(np.float64) / by_formula(row, temperature, spread, exponent)
    np.testing.assert_array_equal(result == -np.inf, row == -np.inf)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-37)  # float32 ends there


def test_a_sure_row_is_cold_and_an_unsure_one_hot():
    sure = ours(DynamicTemperature(1.0, 0.5), np.array([40, 0, 0], np.float32))
    np.testing.assert_allclose(sure, [80, 0, 0], rtol=1e-5)
    unsure = ours(DynamicTemperature(1.0, 0.5), np.array([3, 3, 3], np.float32))
    np.testing.assert_allclose(unsure, [2, 2, 2], rtol=1e-6)


def test_only_what_is_still_possible_counts():
    row = np.array([1, 0, -np.inf, -np.inf], np.float32)
    short = ours(DynamicTemperature(1.0, 0.9, 2.0), row[:2])
    np.testing.assert_array_equal(ours(DynamicTemperature(1.0, 0.9, 2.0), row)[:2], short)


@pytest.mark.parametrize("largest", [-30.0, 0.0, 1000.0])
def test_a_temperature_of_zero_leaves_the_largest(largest):
    row = np.array([largest, largest - 3000, -np.inf], np.float32)
    result = ours(DynamicTemperature(0.5, 2.0), row)  # H is 0, and so is T
    np.testing.assert_array_equal(result, np.array([largest, -np.inf, -np.inf], np.float32))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((-1.0, 0.5), "temperature"), ((1.0, -0.1), "dynatemp_range"), ((1, 1, 0.0), "_exponent")],
)
def test_other_numbers_are_refused(arguments, name):
    with pytest.raises(ConfigError, match=f"{name}="):
        DynamicTemperature(*arguments)
