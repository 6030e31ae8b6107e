from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.processor_rows import Past, logits, long_logits, ours, theirs
from transformers import RepetitionPenaltyLogitsProcessor

from foretell.decoding.processors.penalties import (
    FrequencyPenalty,
    PresencePenalty,
    RepetitionPenalty,
)
from foretell.errors import ConfigError

LARGEST = float(np.finfo(np.float32).max)
ROWS = st.one_of(logits(min_size=3), long_logits())
TOKENS = st.lists(st.integers(0, 320), min_size=1, max_size=60)
PAIRS = st.tuples(ROWS, st.integers(1, 60), TOKENS).map(
    lambda drawn: (
        drawn[0],
        Past([t % len(drawn[0]) for t in drawn[2]], min(drawn[1], len(drawn[2]))),
    )
)


@settings(deadline=None)
@given(PAIRS, st.floats(0.05, 20))
def test_repetition_is_transformers(pair, penalty):
    row, past = pair
    expected = theirs(RepetitionPenaltyLogitsProcessor(penalty), row, past)
    np.testing.assert_array_equal(ours(RepetitionPenalty(penalty), row, past), expected)


@settings(deadline=None)
@given(PAIRS, st.floats(0.05, 20))
def test_repetition_of_the_output_is_transformers(pair, penalty):
    row, past = pair
    oracle = RepetitionPenaltyLogitsProcessor(penalty, past.num_prompt_tokens)
    expected = theirs(oracle, row, past)
    np.testing.assert_array_equal(ours(RepetitionPenalty(penalty, "output"), row, past), expected)


def test_repetition_divides_positive_logits_and_multiplies_negative_ones():
    row = np.array([2, 1, -1, 0, -np.inf, 3], np.float32)
    result = ours(RepetitionPenalty(2.0, exempt={5}), row, Past([0, 0, 2, 3, 4, 5], 1))
    np.testing.assert_array_equal(result, np.array([1, 1, -2, 0, -np.inf, 3], np.float32))


def by_formula(row, tokens, frequency, presence):
    """OpenAI's formula in float64, token by token."""
    result = row.astype(np.float64)
    for token, count in Counter(tokens).items():
        result[token] -= frequency * count + presence
    return result


def assert_near(result, expected, row):
    """Within float32 rounding of the operands, and ruled out in the same places."""
    np.testing.assert_array_equal(result == -np.inf, row == -np.inf)
    finite = np.isfinite(row)
    scale = np.abs(row[finite]) + np.abs(row[finite] - expected[finite]) + 1e-30
    assert np.all(np.abs(result[finite] - expected[finite]) <= 1e-6 * scale)


@settings(deadline=None)
@given(PAIRS, st.floats(-2, 2), st.sampled_from(["prompt", "output", "all", 7]))
def test_frequency_and_presence_are_openais(pair, penalty, scope):
    row, past = pair
    tokens = {
        "prompt": past.tokens[: past.num_prompt_tokens],
        "output": past.tokens[past.num_prompt_tokens :],
        "all": past.tokens,
        7: past.tokens[-7:],
    }[scope]
    result = ours(FrequencyPenalty(penalty, scope), row, past)
    assert_near(result, by_formula(row, tokens, penalty, 0), row)
    result = ours(PresencePenalty(penalty, scope), row, past)
    assert_near(result, by_formula(row, tokens, 0, penalty), row)


@settings(deadline=None)
@given(PAIRS, st.floats(-2, 2))
def test_the_order_of_float32_operations_is_fixed(pair, penalty):
    row, past = pair
    expected = row.copy()
    ids, counts = np.unique(np.array(past.tokens, int), return_counts=True)
    expected[ids] -= np.float32(penalty) * counts.astype(np.float32)
    result = ours(FrequencyPenalty(penalty, "all"), row, past)
    np.testing.assert_array_equal(result.view(np.int32), expected.view(np.int32))


def test_counts_cover_the_output_unless_told_otherwise():
    row = np.array([1, -2, 3], np.float32)
    past = Past([0, 0, 1, 1, 2], 2)
    np.testing.assert_array_equal(ours(FrequencyPenalty(0.5), row, past), [1, -3, 2.5])
    np.testing.assert_array_equal(ours(PresencePenalty(0.5), row, past), [1, -2.5, 2.5])
    np.testing.assert_array_equal(ours(FrequencyPenalty(0.5, "prompt"), row, past), [0, -2, 3])
    np.testing.assert_array_equal(ours(FrequencyPenalty(0.5, exempt={1}), row, past), [1, -2, 2.5])


@pytest.mark.parametrize(
    "processor",
    [
        RepetitionPenalty(1e-44),
        RepetitionPenalty(LARGEST),
        FrequencyPenalty(LARGEST, "all"),
        FrequencyPenalty(-LARGEST, "all"),
        PresencePenalty(LARGEST, "all"),
    ],
)
def test_extreme_penalties_stay_finite(processor):
    row = np.array([30, -30, 0, -np.inf, -LARGEST], np.float32)
    result = ours(processor, row, Past([0, 0, 1, 2, 3, 4, 4, 900], 3))
    assert np.isfinite(result[[0, 1, 2, 4]]).all()
    assert result[3] == -np.inf


@pytest.mark.parametrize("kind", [RepetitionPenalty, FrequencyPenalty, PresencePenalty])
@pytest.mark.parametrize("penalty", [float("nan"), float("inf"), 1e39])
def test_no_number_is_refused(kind, penalty):
    with pytest.raises(ConfigError, match="_penalty="):
        kind(penalty)


@pytest.mark.parametrize("penalty", [0.0, -1.0, 1e-60])
def test_repetition_must_be_positive(penalty):
    with pytest.raises(ConfigError, match="repetition_penalty="):
        RepetitionPenalty(penalty)
