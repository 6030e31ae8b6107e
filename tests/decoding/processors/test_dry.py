import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.processor_rows import Past, ours

from foretell.decoding.processors.dry import DRY, prefix_lengths
from foretell.errors import ConfigError

VOCAB = 5
TOKENS = st.lists(st.integers(0, VOCAB - 1), max_size=40)
TAILS = st.lists(st.integers(0, VOCAB - 1), max_size=2).map(tuple)
BREAKERS = st.dictionaries(
    st.integers(0, VOCAB - 1), st.lists(TAILS, min_size=1, max_size=2), max_size=2
)


def is_breaker_at(window, place, breakers):
    """How long a breaker begins at this place, in ids; 0 if none does."""
    fits = [
        1 + len(tail)
        for tail in breakers.get(window[place], ())
        if tuple(window[place + 1 : place + 1 + len(tail)]) == tail
    ]
    return max(fits, default=0)


def repeated(window, token, breakers):
    """The longest suffix of the window that stands earlier in it, followed by the token.

    By definition: every earlier place of the token, every length. The suffix begins after the
    last breaker; the earlier occurrence ends before the window's last token.
    """
    since = 0
    for place in reversed(range(len(window))):
        if length := is_breaker_at(window, place, breakers):
            since = place + length
            break
    longest = None
    for place in range(1, len(window)):
        for length in range(min(place, len(window) - since) + 1):
            matches = window[place - length : place] == window[len(window) - length :]
            if window[place] == token and matches:
                longest = max(longest or 0, length)
    return longest


@settings(deadline=None)
@given(
    TOKENS,
    BREAKERS,
    st.sampled_from([0.5, 0.8, 3.0]),
    st.sampled_from([1.0, 1.75, 2.0]),
    st.integers(0, 4),
    st.one_of(st.none(), st.integers(0, 45)),
)
def test_dry_is_its_definition(tokens, breakers, multiplier, base, allowed, last_n):
    row = np.array([1, -2, 0, 7.5, -np.inf, 0.25], np.float32)
    window = tokens if last_n is None else tokens[max(len(tokens) - last_n, 0) :]
    expected = row.astype(np.float64)
    for token in range(VOCAB):
        length = repeated(window, token, breakers)
        if length is not None and length >= allowed and () not in breakers.get(token, ()):
            expected[token] -= multiplier * base ** (length - allowed)
    processor = DRY(multiplier, base, allowed, last_n, breakers)
    result = ours(processor, row, Past(tokens, len(tokens) // 2))
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-5)


@settings(deadline=None)
@given(st.one_of(TOKENS, st.lists(st.integers(0, 1), max_size=80)))
def test_prefix_lengths_are_their_definition(ids):
    def common(place):
        length = 0
        while place + length < len(ids) and ids[length] == ids[place + length]:
            length += 1
        return length

    assert prefix_lengths(ids) == [common(place) for place in range(len(ids))]


class Counted:
    """An id that counts how often it is compared."""

    comparisons = 0

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        Counted.comparisons += 1
        return self.value == other.value

    __hash__ = None


@pytest.mark.parametrize("period", [1, 2, 7])
def test_prefix_lengths_take_linear_time(period):
    Counted.comparisons = 0
    prefix_lengths([Counted(place % period) for place in range(2000)])
    assert Counted.comparisons <= 2 * 2000


def test_dry_worked_example():
    # "1 2 3 … 1 2": 3 would go on with a repetition of two tokens, 4 with one of one token.
    tokens = [1, 2, 3, 2, 4, 1, 2]
    row = np.zeros(6, np.float32)
    result = ours(DRY(0.8, 1.75, 1), row, Past(tokens, 3))
    np.testing.assert_allclose(result, [0, 0, 0, -0.8 * 1.75, -0.8, 0], rtol=1e-6)


def test_breakers_cut_the_match_and_go_free():
    tokens = [1, 2, 9, 3, 4, 1, 2, 9, 3]
    row = np.zeros(10, np.float32)
    past = Past(tokens, 4)
    assert ours(DRY(1, 2, 2), row, past)[4] == -4  # four tokens repeat: 2 ** (4 - 2)
    assert ours(DRY(1, 2, 1, None, {9: [()]}), row, past)[4] == -1  # one since the breaker
    assert ours(DRY(1, 2, 2, None, {9: [()]}), row, past)[4] == 0
    assert ours(DRY(1, 2, 1, None, {2: [(9,)]}), row, past)[4] == -1  # two ids that break together
    assert ours(DRY(1, 2, 1, None, {2: [(8,)]}), row, past)[4] == -8
    assert ours(DRY(1, 2, 1, None, {2: [(), (9,)]}), row, past)[4] == -1  # the longest counts
    assert ours(DRY(1, 2, 1, None, {4: [()]}), row, past)[4] == 0  # a breaker itself
    assert ours(DRY(1, 2, 1, None, {4: [(1, 7)]}), row, past)[4] == -8  # only begins one


def test_long_repetitions_stay_finite():
    row = np.array([5, 5, -1e38, -np.inf], np.float32)
    past = Past([0] * 3000, 1)
    assert np.isfinite(ours(DRY(1e38, 9.0, 2), row, past)[0])
    assert np.isfinite(ours(DRY(1.0, 2.0, 2), row, past)[0])
    assert np.isfinite(ours(DRY(1e38, 9.0, 0), row, Past([2] * 300 + [3] * 300 + [2] * 300))[2])


@pytest.mark.parametrize(
    ("base", "exponent"),
    # (int) (88.7228391f / logf(base)) as C computes it: in float64 those of 2, 4 and 16 are less
    [(2, 128), (4.0, 64), (16.0, 32), (1.75, 158), (1.5, 218), (10.0, 38), (3e38, 1), (10**38, 1)],
)
def test_the_exponent_stops_where_that_of_llama_cpp_does(base, exponent):
    row, multiplier = np.zeros(2, np.float32), 1e-6
    found = ours(DRY(multiplier, base, 2), row, Past([0] * 3000, 1))
    assert found[0] == pytest.approx(-multiplier * float(base) ** exponent, rel=1e-6)


@pytest.mark.parametrize("base", [1, 1.0, 1.0000001, 1.000001])
def test_a_base_of_almost_one_needs_no_bound(base):
    row = np.zeros(2, np.float32)
    found = ours(DRY(2.0, base, 2), row, Past([0] * 3000, 1))
    assert found[0] == pytest.approx(-2.0 * base**2997, rel=1e-6)


def test_ids_beyond_the_row_are_passed_over():
    row = np.zeros(2, np.float32)
    np.testing.assert_array_equal(ours(DRY(1, 2, 1), row, Past([7, 7, 7, 7], 1)), row)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((-1, 1.75, 2), "dry_multiplier=-1"),
        ((float("nan"), 1.75, 2), "dry_multiplier=nan"),
        ((1, 0.5, 2), "dry_base=0.5"),
        ((1, 2, -1), "dry_allowed_length=-1"),
        ((1, 2, 1, -1), "dry_penalty_last_n=-1"),
    ],
)
def test_nonsense_is_refused(arguments, name):
    with pytest.raises(ConfigError, match=name):
        DRY(*arguments)
