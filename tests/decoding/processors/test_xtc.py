import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.processor_rows import Past, logits, long_logits, ours

from foretell.decoding.philox import uniform
from foretell.decoding.processors.xtc import XTC
from foretell.errors import ConfigError

ROWS = st.one_of(logits(min_size=3), long_logits())
ODDS = np.log(np.array([0.15, 0.4, 0.05, 0.3, 0.1], np.float32))


def by_formula(row, threshold, exempt):
    """llama.cpp's rule, token by token: walk down the sorted probabilities."""
    x = row.astype(np.float64)
    probabilities = np.exp(x - x.max()) / np.exp(x - x.max()).sum()
    order = sorted((i for i in range(len(row)) if x[i] > -np.inf), key=lambda i: (-x[i], i))
    last = 0
    for place, token in enumerate(order):
        if probabilities[token] < threshold:
            break
        last = place
    gone = {token for token in order[:last] if token not in exempt}
    margin = np.abs(probabilities - threshold).min()
    return [i for i in sorted(order) if i not in gone], margin


@settings(deadline=None)
@given(ROWS, st.floats(1e-4, 0.5), st.frozensets(st.integers(0, 60), max_size=5))
def test_all_but_the_least_likely_above_the_threshold_go(row, threshold, exempt):
    kept, margin = by_formula(row, threshold, exempt)
    assume(margin > 1e-12)
    result = ours(XTC(1.0, threshold, 3, exempt), row)
    assert np.flatnonzero(result > -np.inf).tolist() == kept
    np.testing.assert_array_equal(result[kept], row[kept])


def kept(*arguments):
    return np.flatnonzero(ours(XTC(*arguments), ODDS) > -np.inf).tolist()


def test_the_rule_by_example():
    assert kept(1.0, 0.12, 0) == [0, 2, 4]
    assert kept(1.0, 0.2, 0) == [0, 2, 3, 4]
    assert kept(1.0, 0.35, 0) == [0, 1, 2, 3, 4]  # only one reaches it
    assert kept(1.0, 0.0, 0) == [2]
    assert kept(0.0, 0.12, 0) == [0, 1, 2, 3, 4]
    assert kept(1.0, 0.12, 0, frozenset({1})) == [0, 1, 2, 4]
    assert kept(1.0, 0.12, 0, frozenset({0, 99})) == [0, 2, 4]


def test_nothing_goes_where_too_few_would_be_left():
    """llama.cpp's `min_keep`: at 0.12 two of five go."""
    for least, left in ((3, [0, 2, 4]), (4, [0, 1, 2, 3, 4]), (10**400, [0, 1, 2, 3, 4])):
        assert kept(1.0, 0.12, 0, frozenset(), least) == left
    assert kept(1.0, 0.12, 0, frozenset({1}), 4) == [0, 1, 2, 4]


def test_the_threshold_is_included_and_above_a_half_nothing_happens():
    row = np.array([1, 1], np.float32)
    assert ours(XTC(1.0, 0.5, 0), row).tolist() == [-np.inf, 1]
    assert ours(XTC(1.0, 0.51, 0), np.array([9, 1], np.float32)).tolist() == [9, 1]


@pytest.mark.parametrize("probability", [0.25, 0.8])
def test_the_coin_is_a_stream_of_its_own(probability):
    processor = XTC(probability, 0.12, 11)
    tossed = [
        ours(processor, ODDS, Past([0] * position, 1, index))[1] == -np.inf
        for index in range(3)
        for position in range(1, 200)
    ]
    coins = [uniform(11, index, position, 1) for index in range(3) for position in range(1, 200)]
    assert tossed == [coin < probability for coin in coins]
    draws = [uniform(11, index, position) for index in range(3) for position in range(1, 200)]
    assert abs(np.corrcoef(coins, draws)[0, 1]) < 0.1
    assert len({*coins, *draws}) == 2 * len(coins)


def test_a_stream_is_a_word_of_the_counter():
    key = 7 | 2 << 64
    generator = np.random.Generator(np.random.Philox(key=key, counter=(11 | 5 << 64) - 1))
    assert uniform(7, 2, 11, 5) == generator.random()
    assert uniform(7, 2, 11, 0) == uniform(7, 2, 11)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((1.5, 0.1, 0), "xtc_probability"), ((0.5, -1, 0), "xtc_threshold"), ((0.5, 0.1, -1), "seed")],
)
def test_other_numbers_are_refused(arguments, name):
    with pytest.raises(ConfigError, match=f"{name}="):
        XTC(*arguments)
