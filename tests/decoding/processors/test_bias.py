import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.processor_rows import Past, logits, long_logits, ours, theirs
from transformers import SequenceBiasLogitsProcessor

from foretell.decoding.processors.bias import LogitBias, SequenceBias
from foretell.errors import ConfigError, NumericalError

ROWS = st.one_of(logits(min_size=6), logits(min_size=6, max_size=6), long_logits())
TOKENS = st.lists(st.integers(0, 5), min_size=1, max_size=20)
# Quarters: float32 sums of a few are exact, so transformers' order of summing does not matter.
BIASES = st.one_of(st.integers(-400, 400).map(lambda n: n / 4), st.just(-math.inf))
SEQUENCES = st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple)


def agree(processor, biases, row, past, setting):
    """Our answer is transformers', or an error where transformers leaves nothing."""
    expected = theirs(SequenceBiasLogitsProcessor(biases), row, past)
    if expected.max() == -np.inf:
        with pytest.raises(NumericalError, match=f"^{setting} leaves no token possible"):
            ours(processor, row, past)
    else:
        np.testing.assert_array_equal(ours(processor, row, past), expected)


@settings(deadline=None)
@given(ROWS, TOKENS, st.dictionaries(SEQUENCES, BIASES, min_size=1, max_size=12))
def test_sequence_bias_is_transformers(row, tokens, biases):
    agree(SequenceBias(biases), biases, row, Past(tokens, 1), "sequence_bias")


@settings(deadline=None)
@given(ROWS, st.dictionaries(st.integers(0, 5), BIASES, min_size=1))
def test_logit_bias_is_transformers(row, biases):
    sequences = {(token,): bias for token, bias in biases.items()}
    agree(LogitBias(biases), sequences, row, Past(), "logit_bias")


@settings(deadline=None)
@given(ROWS, st.dictionaries(st.integers(0, 5), st.floats(-100, 100), min_size=1))
def test_any_bias_is_added(row, biases):
    expected = row.astype(np.float64)
    for token, bias in biases.items():
        expected[token] += bias
    result = ours(LogitBias(biases), row)
    np.testing.assert_array_equal(result, expected.astype(np.float32))


def test_biases_that_meet_add_up():
    row = np.zeros(5, np.float32)
    biases = {(4,): 1.0, (1, 4): 2.0, (0, 1, 4): 4.0, (2, 4): 8.0, (3, 0, 1, 4): 16.0}
    assert ours(SequenceBias(biases), row, Past([0, 1], 2)).tolist() == [0, 0, 0, 0, 7]


@pytest.mark.parametrize("bias", [1e38, 3e38, 1e300, -3e38, -1e300])
def test_huge_biases_stay_finite(bias):
    row = np.array([3e38, 0, -3e38, -np.inf], np.float32)
    result = ours(LogitBias({0: bias, 1: bias, 2: bias, 3: bias}), row)
    assert np.isfinite(result[:3]).all()
    assert result[3] == -np.inf
    result = ours(SequenceBias({(2,): bias, (1, 2): bias}), row, Past([1], 1))
    assert np.isfinite(result[:3]).all()


@pytest.mark.parametrize("kind", [LogitBias, SequenceBias])
def test_nonsense_is_refused(kind):
    def key(token):
        return token if kind is LogitBias else (token,)

    for bias in (math.nan, math.inf):
        with pytest.raises(ConfigError, match=f"_bias has the bias {bias}"):
            kind({key(1): bias})
    with pytest.raises(ConfigError, match="_bias has no token id"):
        kind({})
    with pytest.raises(ConfigError, match="_bias has the token id -1"):
        kind({key(-1): 1.0})
    with pytest.raises(ConfigError, match="_bias has the token id 5"):
        ours(kind({key(5): 1.0}), np.zeros(5, np.float32))
