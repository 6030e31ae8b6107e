import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.processor_rows import Past, agree, logits, long_logits, ours, theirs
from transformers import (
    ExponentialDecayLengthPenalty,
    ForcedBOSTokenLogitsProcessor,
    ForcedEOSTokenLogitsProcessor,
    MinLengthLogitsProcessor,
    MinNewTokensLengthLogitsProcessor,
)

from foretell.decoding.processors.lengths import (
    ExponentialDecay,
    ForcedBOS,
    ForcedEOS,
    MinLength,
    MinNewTokens,
)
from foretell.errors import ConfigError

ROWS = st.one_of(logits(min_size=3), logits(min_size=3, max_size=3), long_logits())
EOS = st.lists(st.integers(0, 2), min_size=1, max_size=3)
PASTS = st.tuples(st.integers(1, 12), st.integers(0, 12)).map(
    lambda drawn: Past([1] * (drawn[0] + drawn[1]), drawn[0])
)


@settings(deadline=None)
@given(ROWS, PASTS, st.integers(0, 26), EOS)
def test_min_length_is_transformers(row, past, total, eos):
    agree(MinLength(total, eos), MinLengthLogitsProcessor(total, eos), row, past, "min_length")


@settings(deadline=None)
@given(ROWS, PASTS, st.integers(0, 14), EOS)
def test_min_new_tokens_is_transformers(row, past, n, eos):
    oracle = MinNewTokensLengthLogitsProcessor(past.num_prompt_tokens, n, eos)
    agree(MinNewTokens(n, eos), oracle, row, past, "min_new_tokens")


@settings(deadline=None)
@given(ROWS, st.integers(0, 3), st.integers(0, 2))
def test_forced_bos_after_one_token_is_transformers(row, num_generated, bos):
    past = Past([1] * (1 + num_generated), 1)
    expected = theirs(ForcedBOSTokenLogitsProcessor(bos), row, past)
    np.testing.assert_array_equal(ours(ForcedBOS(bos), row, past), expected)


def test_forced_bos_follows_any_prompt():
    row = np.array([3, 2, 1], np.float32)
    forced = ours(ForcedBOS(2), row, Past([0, 1, 0], 3))
    np.testing.assert_array_equal(forced, [-np.inf, -np.inf, 0])
    np.testing.assert_array_equal(ours(ForcedBOS(2), row, Past([0, 1, 0], 2)), row)


@settings(deadline=None)
@given(ROWS, PASTS, st.integers(1, 26), EOS)
def test_forced_eos_is_transformers(row, past, max_length, eos):
    expected = theirs(ForcedEOSTokenLogitsProcessor(max_length, eos), row, past)
    np.testing.assert_array_equal(ours(ForcedEOS(max_length, eos), row, past), expected)
    max_new_tokens = max_length - past.num_prompt_tokens
    processor = ForcedEOS(None, eos, max_new_tokens)
    np.testing.assert_array_equal(ours(processor, row, past), expected)


def test_forced_eos_comes_at_the_nearer_limit():
    row = np.array([3, 2, 1], np.float32)
    for processor in (ForcedEOS(6, [1], 10), ForcedEOS(60, [1], 3)):
        forced = ours(processor, row, Past([0] * 5, 3))
        np.testing.assert_array_equal(forced, [-np.inf, 0, -np.inf])
        np.testing.assert_array_equal(ours(processor, row, Past([0] * 4, 3)), row)


@settings(deadline=None)
@given(ROWS, PASTS, st.integers(0, 12), st.floats(0.3, 3), EOS)
def test_exponential_decay_is_transformers(row, past, start, factor, eos):
    oracle = ExponentialDecayLengthPenalty((start, factor), eos, past.num_prompt_tokens)
    processor = ExponentialDecay(start, factor, eos)
    np.testing.assert_allclose(ours(processor, row, past), theirs(oracle, row, past), rtol=1e-6)


@settings(deadline=None)
@given(logits(min_size=3), PASTS, st.integers(0, 12), st.floats(0.3, 3))
def test_exponential_decay_is_its_formula(row, past, start, factor):
    expected = row.astype(np.float64)
    n = len(past.tokens) - past.num_prompt_tokens - start
    if n > 0 and np.isfinite(row[2]):
        expected[2] += abs(expected[2]) * (factor**n - 1)
    result = ours(ExponentialDecay(start, factor, [2]), row, past)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("factor", [1e-300, 1e-3, 1.5, 1e300])
def test_long_decay_stays_finite(factor):
    row = np.array([-5, 0, 5, -np.inf], np.float32)
    result = ours(ExponentialDecay(0, factor, [0, 1, 2, 3]), row, Past([1] * 100_000, 1))
    assert np.isfinite(result[:3]).all()
    assert result[1] == 0
    assert result[3] == -np.inf


def test_ends_of_sequence_beyond_the_row_are_passed_over():
    row = np.array([1, 2, 3], np.float32)
    for processor in (
        MinLength(9, [1, 7]),
        MinNewTokens(9, [1, 7]),
    ):
        np.testing.assert_array_equal(ours(processor, row), [1, -np.inf, 3])
    decayed = ours(ExponentialDecay(0, 2.0, [1, 7]), row, Past([1, 1], 1))
    np.testing.assert_array_equal(decayed, [1, 4, 3])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: MinLength(-1, [0]), "min_length=-1"),
        (lambda: MinNewTokens(-1, [0]), "min_new_tokens=-1"),
        (lambda: MinLength(1, []), "eos_token_id has no token id"),
        (lambda: ForcedBOS(-1), "forced_bos_token_id has the token id -1"),
        (lambda: ForcedEOS(4, []), "forced_eos_token_id has no token id"),
        (lambda: ForcedEOS(None, [0]), "forced_eos_token_id has no effect without"),
        (lambda: ExponentialDecay(-1, 1.1, [0]), "exponential_decay_length_penalty start=-1"),
        (lambda: ExponentialDecay(1, 0.0, [0]), "has the factor 0.0"),
        (lambda: ExponentialDecay(1, float("inf"), [0]), "has the factor inf"),
        (lambda: ours(ForcedBOS(5), np.zeros(5, np.float32)), "forced_bos_token_id has .* 5"),
        (lambda: ours(ForcedEOS(5, [5]), np.zeros(5, np.float32)), "forced_eos_token_id has .* 5"),
    ],
)
def test_nonsense_is_refused(make, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make()
