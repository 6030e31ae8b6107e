import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.decoding.philox import uniform
from foretell.decoding.sampler import draw, greedy
from foretell.decoding.softmax import BLOCK, exp, integer_weights, total_weight
from foretell.errors import NumericalError

BELOW_ONE = 1 - 2.0**-53


def textbook(row, quantile):
    """Inverse transform sampling, written out."""
    weights = np.exp(row.astype(np.float64) - row.max())
    total, reached = weights.sum(), 0.0
    for token, weight in enumerate(weights):
        reached += weight
        if weight > 0 and reached > quantile * total:
            return token
    return int(np.flatnonzero(weights)[-1])


@given(st.lists(st.sampled_from([-np.inf, 0, 1, 2, 5]), min_size=1), st.data())
def test_greedy_takes_the_lowest_id_of_the_largest(values, data):
    row = np.array([*values, data.draw(st.sampled_from([-1, 4]))], np.float32)
    assert greedy(row) == row.tolist().index(max(row.tolist()))


@given(st.integers(0, 2**32), st.floats(0, BELOW_ONE))
def test_draw_is_inverse_transform_sampling(seed, quantile):
    rng = np.random.default_rng(seed)
    row = rng.normal(size=rng.integers(1, 60)).astype(np.float32) * 3
    assert draw(row, quantile) == textbook(row, quantile)


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_draw_walks_long_rows_as_short_ones(size):
    rng = np.random.default_rng(size)
    row = rng.normal(size=size).astype(np.float32) * 3
    row[rng.integers(0, size, size // 3)] = -np.inf
    for quantile in [0.0, *rng.random(20), BELOW_ONE]:
        assert draw(row, quantile) == textbook(row, quantile)


@pytest.mark.parametrize("quantile", [0.0, 2.0**-53, 0.5, BELOW_ONE])
@pytest.mark.parametrize("size", [5, 400, 3 * BLOCK])
def test_a_token_of_probability_zero_is_never_drawn(size, quantile):
    row = np.full(size, -np.inf, np.float32)
    row[2] = 1.5
    row[[0, 1, 3, size - 1]] = -2000  # exp underflows: possible by the mask, of probability zero
    assert draw(row, quantile) == 2


@pytest.mark.parametrize("weights", [[1, 1], [1, 3, 1], [1] * 7, [0.1] * 10])
def test_the_highest_quantile_is_the_last_token(weights):
    row = np.append(np.log(weights), -np.inf).astype(np.float32)
    assert draw(row, BELOW_ONE) == len(weights) - 1
    assert draw(row, 0.0) == 0


def test_frequencies_are_the_probabilities():
    probabilities = np.array([0.5, 0.2, 0.15, 0.1, 0.04, 0.01])
    row = np.log(probabilities).astype(np.float32)
    number = 20_000
    counts = np.bincount([draw(row, uniform(5, 0, at)) for at in range(number)], minlength=6)
    expected = probabilities * number
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 20.52  # the 0.999 quantile for 5 degrees of freedom


@pytest.mark.parametrize("bad", [[np.nan, 1], [1, np.nan, 2], [np.inf, 0], [-np.inf, -np.inf]])
@pytest.mark.parametrize("choose", [greedy, lambda row: draw(row, 0.5)])
def test_a_broken_row_is_refused(bad, choose):
    with pytest.raises(NumericalError, match="row of logits has"):
        choose(np.array(bad, np.float32))


@given(st.floats(-700, 0))
def test_exp_is_within_two_ulp(x):
    mine, reference = exp(np.array([x]))[0], np.exp(x)
    assert abs(mine - reference) <= 2 * np.spacing(reference)


def test_exp_of_many_is_within_two_ulp():
    x = -np.random.default_rng(1).random(200_000) * np.repeat([1e-9, 1, 30, 700], 50_000)
    reference = np.exp(x)
    assert np.all(np.abs(exp(x) - reference) <= 2 * np.spacing(reference))


def test_integer_weights_are_rounded_exps():
    row = np.array([2.0, 1.0, -28.4, -29.2, -5000, -np.inf], np.float32)
    expected = np.rint(np.exp(row.astype(np.float64) - 2) * 2.0**44)
    assert expected[2:].tolist() == [1, 0, 0, 0]
    np.testing.assert_array_equal(integer_weights(row, 2.0), expected)
    assert total_weight(row, 2.0) == integer_weights(row, 2.0).sum()
