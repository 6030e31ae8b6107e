import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.processor_rows import Past, agree, logits, long_logits, ours, theirs
from transformers import (
    NoBadWordsLogitsProcessor,
    PrefixConstrainedLogitsProcessor,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
)

from foretell.decoding.processors.masks import (
    AllowedTokens,
    BadWords,
    BeginSuppress,
    PrefixAllowed,
    SuppressTokens,
)
from foretell.errors import ConfigError, NumericalError

ROWS = st.one_of(logits(min_size=6), logits(min_size=6, max_size=6), long_logits())
TOKENS = st.lists(st.integers(0, 5), min_size=1, max_size=20)
SOME_IDS = st.lists(st.integers(0, 5), min_size=1, max_size=8)
SEQUENCES = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=9)


@settings(deadline=None)
@given(ROWS, TOKENS, SEQUENCES)
def test_bad_words_are_transformers(row, tokens, sequences):
    oracle = NoBadWordsLogitsProcessor(sequences)
    agree(BadWords(sequences), oracle, row, Past(tokens, 1), "bad_words")


def test_a_bad_word_is_not_completed():
    row = np.zeros(10, np.float32)
    processor = BadWords([[3, 4, 5], [7], [4, 6], [1, 2, 3, 4, 8]])
    banned = np.flatnonzero(ours(processor, row, Past([2, 3, 4], 2)) == -np.inf)
    assert banned.tolist() == [5, 6, 7]
    assert np.flatnonzero(ours(processor, row, Past([], 0)) == -np.inf).tolist() == [7]


@settings(deadline=None)
@given(ROWS, TOKENS, SOME_IDS)
def test_suppressed_tokens_are_transformers(row, tokens, ids):
    oracle = SuppressTokensLogitsProcessor(ids)
    agree(SuppressTokens(ids), oracle, row, Past(tokens, 1), "suppress_tokens")


@settings(deadline=None)
@given(ROWS, TOKENS, SOME_IDS, st.integers(0, 20))
def test_tokens_suppressed_at_the_beginning_are_transformers(row, tokens, ids, num_prompt):
    past = Past(tokens, min(num_prompt, len(tokens)))
    oracle = SuppressTokensAtBeginLogitsProcessor(ids, past.num_prompt_tokens)
    agree(BeginSuppress(ids), oracle, row, past, "begin_suppress_tokens")


@settings(deadline=None)
@given(ROWS, SOME_IDS)
def test_only_allowed_tokens_stay(row, ids):
    expected = np.array(
        [x if token in ids else -np.inf for token, x in enumerate(row[:6].tolist())]
    )
    if expected.max() == -np.inf:
        with pytest.raises(NumericalError, match="allowed_token_ids leaves no token possible"):
            ours(AllowedTokens(ids), row)
    else:
        result = ours(AllowedTokens(ids), row)
        np.testing.assert_array_equal(result[:6], expected.astype(np.float32))
        assert np.all(result[6:] == -np.inf)


@settings(deadline=None)
@given(ROWS, TOKENS, SOME_IDS)
def test_allowed_after_a_prefix_is_transformers(row, tokens, ids):
    def allowed(token_ids):
        assert type(token_ids) is list
        return [(token + token_ids[-1]) % 6 for token in ids]

    oracle = PrefixConstrainedLogitsProcessor(lambda batch, sent: allowed(sent.tolist()), 1)
    expected = theirs(oracle, row, Past(tokens, 1))
    np.testing.assert_array_equal(ours(PrefixAllowed(allowed), row, Past(tokens, 1)), expected)


def test_the_prefix_function_sees_the_prompt_and_may_answer_any_iterable():
    calls = []

    def allowed(token_ids):
        calls.append(token_ids)
        return iter({2, 0})

    row = np.array([1, 2, -np.inf, 4], np.float32)
    result = ours(PrefixAllowed(allowed), row, Past((9, 8, 7), 2))
    np.testing.assert_array_equal(result, [1, -np.inf, -np.inf, -np.inf])
    assert calls == [[9, 8, 7]]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ([], r"\[\]"),
        ([5], "the token id 5"),
        ([1, -1], "the token id -1"),
        (None, "None"),
        (3, "3"),
        ("12", "'12'"),
        (["1"], r"\['1'\]"),
        ([1.0], r"\[1.0\]"),
        ([True], r"\[True\]"),
        (np.array([0.5]), r"\[0.5\]"),
        (range, "type"),
    ],
)
def test_what_the_prefix_function_may_not_answer(answer, sentence):
    def narrow(token_ids):
        return answer

    sentence = f"^prefix_allowed_tokens_fn 'narrow' returned .*{sentence}.*: must return at least"
    with pytest.raises(ConfigError, match=sentence):
        ours(PrefixAllowed(narrow), np.zeros(5, np.float32))


@pytest.mark.parametrize("kind", [AllowedTokens, SuppressTokens, BeginSuppress])
def test_ids_must_be_in_the_vocabulary(kind):
    with pytest.raises(ConfigError, match="has no token id"):
        kind([])
    with pytest.raises(ConfigError, match="has the token id -3"):
        kind([2, -3])
    with pytest.raises(ConfigError, match="has the token id 5: must be below the vocabulary"):
        ours(kind([2, 5]), np.zeros(5, np.float32))


def test_bad_words_must_be_in_the_vocabulary():
    with pytest.raises(ConfigError, match="bad_words has an empty sequence"):
        BadWords([[1], []])
    with pytest.raises(ConfigError, match="bad_words has no token id"):
        BadWords([])
    with pytest.raises(ConfigError, match="bad_words has the token id 8"):
        ours(BadWords([[1], [8, 2]]), np.zeros(5, np.float32))
