import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.processor_rows import Past, logits, ours, theirs
from transformers import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from foretell.decoding.processors.temperature import Temperature
from foretell.decoding.processors.truncation import MinP, TopK, TopP
from foretell.decoding.softmax import integer_weights, nucleus_weight
from foretell.errors import ConfigError


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


def is_at_min_p(row, p):
    """Whether a ratio of probabilities, in float64, could fall on the other side of p."""
    ratios = np.exp(row.astype(np.float64) - row.max())
    return bool(np.any(np.abs(ratios - p) <= 1e-14 * p)) and p > 0


@given(logits(), st.floats(0, 1))
def test_min_p_is_transformers(row, p):
    assume(not is_at_min_p(row, p))
    expected = theirs(MinPLogitsWarper(p), row.astype(np.float64))
    np.testing.assert_array_equal(ours(MinP(p), row), expected.astype(np.float32))


def test_min_p_compares_in_float64():
    bound = 20 + np.log(0.1)
    row = np.array([20, bound, np.nextafter(np.float32(bound), np.float32(0))], np.float32)
    expected = row.astype(np.float64) >= bound
    assert expected.tolist() in ([True, True, False], [True, False, False])
    np.testing.assert_array_equal(ours(MinP(0.1), row) > -np.inf, expected)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_min_p_at_its_ends(p):
    row = np.array([1, 3, -np.inf, 3, 2], np.float32)
    kept = np.flatnonzero(ours(MinP(p), row) > -np.inf).tolist()
    assert kept == ([0, 1, 3, 4] if p == 0 else [1, 3])


@given(logits(), st.integers(1, 320))
def test_top_k_may_cut_ties_to_the_lower_ids(row, k):
    order = np.argsort(-row, kind="stable")[:k]
    expected = np.full_like(row, -np.inf)
    expected[order] = row[order]
    np.testing.assert_array_equal(ours(TopK(k, ties="cut"), row), expected)


@given(logits(), st.sampled_from([2, 3, 10]), st.floats(0, 1, exclude_max=True), st.data())
def test_min_tokens_to_keep_is_transformers(row, least, p, data):
    assume(not is_at_the_cut(row, p) and not is_at_min_p(row, p))
    pairs = [
        (TopK(2, min_tokens_to_keep=least), TopKLogitsWarper(2, min_tokens_to_keep=least)),
        (TopP(p, min_tokens_to_keep=least), TopPLogitsWarper(p, min_tokens_to_keep=least)),
    ]
    if least <= len(row):  # theirs cannot take more
        pairs.append(
            (MinP(p, min_tokens_to_keep=least), MinPLogitsWarper(p, min_tokens_to_keep=least))
        )
    processor, warper = data.draw(st.sampled_from(pairs))
    expected = theirs(warper, row.astype(np.float64))
    # Which of equal probabilities stay is the sort's whim there, so logits are compared as far as
    # float64 tells them from the largest.
    kept, theirs_kept = (
        np.sort(one.astype(np.float64) - float(row.max()))
        for one in (ours(processor, row), expected)
    )
    np.testing.assert_array_equal(kept, theirs_kept)


def test_min_tokens_to_keep_takes_lower_ids_among_equals():
    row = np.array([0, 5, 0, 9, 0], np.float32)
    for processor in (
        TopP(0.1, min_tokens_to_keep=3),
        MinP(0.5, min_tokens_to_keep=3),
        TopK(1, ties="cut", min_tokens_to_keep=3),
    ):
        assert np.flatnonzero(ours(processor, row) > -np.inf).tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: TopK(0),
        lambda: TopP(1.5),
        lambda: MinP(float("nan")),
        lambda: TopP(0.5, min_tokens_to_keep=0),
    ],
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ConfigError, match="must be"):
        wrong()


@pytest.mark.parametrize("p", [1 - 1e-9, 1 - 2.0**-53])
def test_top_p_next_to_one_still_reaches_its_weight(p):
    row = np.linspace(0, -60, 5000).astype(np.float32)
    result = ours(TopP(p), row)
    weights = integer_weights(row, 0.0)
    total = int(weights.sum())
    assert weights[result > -np.inf].sum() >= nucleus_weight(p, total)
    assert result[-1] == -np.inf


@given(
    logits(),
    st.floats(0.1, 5),
    st.integers(1, 50),
    st.floats(0.05, 0.95),
)
def test_hugging_faces_order_is_transformers(row, temperature, k, p):
    expected = row
    for warper in (TemperatureLogitsWarper(temperature), TopKLogitsWarper(k)):
        expected = theirs(warper, expected)
    assume(not is_at_the_cut(expected, p))
    expected = theirs(TopPLogitsWarper(p), expected.astype(np.float64))
    result = row.copy()
    for processor in (Temperature(temperature), TopK(k), TopP(p)):
        processor(result, Past())
    np.testing.assert_array_equal(np.sort(result), np.sort(expected))
