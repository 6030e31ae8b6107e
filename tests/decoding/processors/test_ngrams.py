import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.processor_rows import Past, logits, long_logits, ours, theirs
from transformers import NoRepeatNGramLogitsProcessor

from foretell.decoding.processors.ngrams import NoRepeatNGram
from foretell.errors import ConfigError, NumericalError


@settings(deadline=None)
@given(
    st.one_of(logits(min_size=3), long_logits()),
    st.lists(st.integers(0, 4), min_size=1, max_size=60),
    st.integers(1, 6),
)
def test_no_repeat_ngram_is_transformers(row, tokens, size):
    past = Past(tokens, 1)
    expected = theirs(NoRepeatNGramLogitsProcessor(size), row, past)
    if expected.max() == -np.inf:
        with pytest.raises(NumericalError, match="no_repeat_ngram_size leaves no token possible"):
            ours(NoRepeatNGram(size), row, past)
    else:
        np.testing.assert_array_equal(ours(NoRepeatNGram(size), row, past), expected)


def test_no_trigram_comes_twice():
    row = np.zeros(10, np.float32)
    result = ours(NoRepeatNGram(3), row, Past([1, 2, 3, 1, 2, 4, 2, 1, 2], 3))
    assert np.flatnonzero(result == -np.inf).tolist() == [3, 4]


@pytest.mark.parametrize("size", [0, -1])
def test_size_must_be_positive(size):
    with pytest.raises(ConfigError, match=f"no_repeat_ngram_size={size}"):
        NoRepeatNGram(size)
