import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.processor_rows import logits, long_logits, ours, theirs
from transformers import (
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    TopHLogitsWarper,
    TypicalLogitsWarper,
)

from foretell.decoding.processors.entropy_samplers import EpsilonCutoff, EtaCutoff, TopH, TypicalP
from foretell.errors import ConfigError

ROWS = st.one_of(logits(min_size=3), long_logits())
SHARE = st.floats(0.001, 0.999)
MARGIN = 1e-11  # closer to the cut than this, float64 sums in another order decide


def facts(row):
    """Log-probabilities of the possible tokens, and their entropy."""
    x = row[row > -np.inf].astype(np.float64)
    logprobs = x - x.max() - math.log(np.exp(x - x.max()).sum())
    return logprobs, -float(np.exp(logprobs) @ logprobs)


def is_near(values, bound):
    return bool(np.any(np.abs(values - bound) < MARGIN))


def is_close_call(row, mass):
    """Whether typical-p's crossing, or the order beside it, hangs on roundings."""
    logprobs, entropy = facts(row)
    levels, counts = np.unique(logprobs, return_counts=True)
    distances = np.abs(levels + entropy)
    order = np.argsort(distances)
    reached = np.cumsum((np.exp(levels) * counts)[order])
    last = int(np.searchsorted(reached, mass))
    gaps = np.diff(distances[order])[max(last - 1, 0) : last + 1]
    return is_near(reached, mass) or is_near(gaps, 0)


@settings(deadline=None)
@given(ROWS, SHARE)
def test_typical_is_transformers(row, mass):
    assume(not is_close_call(row, mass))
    expected = theirs(TypicalLogitsWarper(mass), row.astype(np.float64))
    np.testing.assert_array_equal(ours(TypicalP(mass), row), expected)


@settings(deadline=None)
@given(ROWS, SHARE, st.integers(1, 400))
def test_typical_keeps_as_many_as_transformers(row, mass, least):
    assume(not is_close_call(row, mass))
    oracle = TypicalLogitsWarper(mass, min_tokens_to_keep=min(least, 10**6))
    expected = theirs(oracle, row.astype(np.float64))
    result = ours(TypicalP(mass, least), row)
    # Which of equal logits stay is the sort's whim there, so the kept values are compared; equal
    # they are where float64 does not tell their distances from the largest apart.
    kept, theirs_kept = (np.sort(one.astype(np.float64) - row.max()) for one in (result, expected))
    np.testing.assert_array_equal(kept, theirs_kept)


@pytest.mark.parametrize("mass", [0.05, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("spread", [0.01, 1, 6, 60])
def test_typical_of_a_long_row_is_transformers(mass, spread):
    row = np.random.default_rng(5).normal(size=100_000).astype(np.float32) * np.float32(spread)
    assert not is_close_call(row, mass)
    expected = theirs(TypicalLogitsWarper(mass), row.astype(np.float64))
    np.testing.assert_array_equal(ours(TypicalP(mass), row), expected)


def test_typical_may_take_the_likeliest_and_keeps_lower_ids_among_equals():
    row = np.log(np.array([0.4] + [0.1] * 6, np.float32))
    assert np.flatnonzero(ours(TypicalP(0.2), row) > -np.inf).tolist() == [1, 2, 3, 4, 5, 6]
    row = np.array([0, 0, 9, 0, -np.inf], np.float32)  # H is near 0: the likeliest is typical
    assert np.flatnonzero(ours(TypicalP(0.5, 3), row) > -np.inf).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(ours(TypicalP(0.5, 9), row), row)
    np.testing.assert_array_equal(ours(TypicalP(1.0), row), row)


LEAST = st.sampled_from([1, 1, 2, 3, 10, 10**400])


@settings(deadline=None)
@given(ROWS, st.floats(1e-6, 0.99), LEAST)
def test_epsilon_is_transformers(row, epsilon, least):
    logprobs, _ = facts(row)
    assume(not is_near(np.exp(logprobs), epsilon))
    warper = EpsilonLogitsWarper(epsilon, min_tokens_to_keep=min(least, 10**6))
    expected = theirs(warper, row.astype(np.float64))
    np.testing.assert_array_equal(ours(EpsilonCutoff(epsilon, least), row), expected)


@settings(deadline=None)
@given(ROWS, st.floats(1e-6, 0.99).map(lambda x: float(np.float32(x))), LEAST)
def test_eta_is_transformers(row, epsilon, least):
    """transformers holds ε in float32, and so its bound is no better than that."""
    logprobs, entropy = facts(row)
    bound = min(epsilon, math.sqrt(epsilon) * math.exp(-entropy))
    assume(np.abs(np.exp(logprobs) / bound - 1).min() > 1e-6)
    warper = EtaLogitsWarper(epsilon, min_tokens_to_keep=min(least, 10**6))
    expected = theirs(warper, row.astype(np.float64))
    np.testing.assert_array_equal(ours(EtaCutoff(epsilon, least), row), expected)


@pytest.mark.parametrize("kind", [EpsilonCutoff, EtaCutoff])
def test_where_nothing_reaches_the_bound_the_largest_stay(kind):
    row = np.array([1, 2, -np.inf, 2, 1.5], np.float32)
    assert np.flatnonzero(ours(kind(1.0), row) > -np.inf).tolist() == [1, 3]
    np.testing.assert_array_equal(ours(kind(0.0), row), row)


def test_the_bound_itself_is_kept():
    row = np.array([0] * 9 + [-np.inf], np.float32)
    row[0] = np.float32(math.log(2))
    probabilities = np.exp(row.astype(np.float64) - row[0])
    share = float((probabilities / probabilities.sum())[1])
    assert np.count_nonzero(ours(EpsilonCutoff(share), row) > -np.inf) == 9
    assert np.count_nonzero(ours(EpsilonCutoff(math.nextafter(share, 1)), row) > -np.inf) == 1


@settings(deadline=None)
@given(ROWS, st.floats(0.01, 1))
def test_top_h_is_transformers(row, top_h):
    likeliest = np.sort(row)[::-1][:100]
    logprobs, entropy = facts(likeliest)
    terms = np.cumsum(-np.exp(logprobs) * logprobs)
    assume(not is_near(terms[1:], top_h * entropy))
    expected = theirs(TopHLogitsWarper(top_h), row.astype(np.float64))
    result = ours(TopH(top_h), row)
    # Which of equal logits stay is the sort's whim there, so the kept values are compared.
    np.testing.assert_array_equal(np.sort(result), np.sort(expected))


@settings(deadline=None)
@given(ROWS, st.floats(0.01, 1), st.integers(1, 150))
def test_top_h_leaves_as_many_as_are_asked_for(row, top_h, least):
    alone, more = ours(TopH(top_h), row), ours(TopH(top_h, least), row)
    count = int(np.count_nonzero(alone > -np.inf))
    expected = sorted(np.flatnonzero(row > -np.inf), key=lambda i: (-row[i], i))[
        : max(count, least)
    ]
    assert np.flatnonzero(more > -np.inf).tolist() == sorted(expected)
    np.testing.assert_array_equal(more[sorted(expected)], row[sorted(expected)])


def test_top_h_by_example():
    row = np.zeros(150, np.float32)
    assert np.flatnonzero(ours(TopH(0.101), row) > -np.inf).tolist() == list(range(10))
    assert np.count_nonzero(ours(TopH(1.0), row) > -np.inf) == 100
    assert np.count_nonzero(ours(TopH(0.005), row) > -np.inf) == 1
    row = np.array([-np.inf, 3, -np.inf], np.float32)
    np.testing.assert_array_equal(ours(TopH(0.5), row), row)


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [
        (TypicalP, 0.0, "typical_p"),
        (TypicalP, 1.1, "typical_p"),
        (EpsilonCutoff, -0.1, "epsilon_cutoff"),
        (EtaCutoff, 1.1, "eta_cutoff"),
        (TopH, 0.0, "top_h"),
        (TopH, float("nan"), "top_h"),
    ],
)
def test_other_numbers_are_refused(kind, value, name):
    with pytest.raises(ConfigError, match=f"{name}="):
        kind(value)


@pytest.mark.parametrize("kind", [TypicalP, EpsilonCutoff, EtaCutoff, TopH])
def test_one_is_kept_at_least(kind):
    with pytest.raises(ConfigError, match="min_tokens_to_keep=0"):
        kind(0.5, 0)
