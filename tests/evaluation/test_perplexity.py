"""Perplexity on a toy model: its parts, its bounds, and what it leaves behind."""

import math

import pytest
from support.toy import toy_llm

from foretell import ConfigError, RequestError
from foretell.evaluation import perplexity

TEXT = "the cat sat on the mat. " * 8


@pytest.mark.parametrize("convention", ["llama.cpp", "huggingface", "lm-eval"])
def test_the_first_windows_alone(convention):
    with toy_llm(context_length=256) as llm:
        whole = perplexity(llm, TEXT, convention, window=32)
        some = perplexity(llm, TEXT, convention, window=32, max_windows=2)
        assert llm.stats().running == 0
    assert some.num_windows == 2 < whole.num_windows
    assert some.num_tokens == whole.num_tokens
    assert whole.perplexity.value == math.exp(whole.mean_nll.value)
    assert whole.convention == convention
    assert (whole.words is not None) == (convention == "lm-eval")
    assert some.words is None  # the words of a part are not known


def test_a_single_window_is_the_texts_own_score():
    text = "the cat sat on the mat"
    with toy_llm(context_length=256) as llm:
        score = llm.score(text)
        found = perplexity(llm, text, "huggingface")
    assert found.num_scored == score.num_scored
    assert found.perplexity.value == pytest.approx(score.perplexity, rel=1e-12)


def test_one_token_has_no_error():
    with toy_llm(adds_bos=True) as llm:
        found = perplexity(llm, "a", "huggingface")
    assert (found.num_scored, found.perplexity.error) == (1, None)


def test_what_makes_no_sense_is_refused():
    with toy_llm() as llm:
        with pytest.raises(ConfigError, match="max_windows=0"):
            perplexity(llm, TEXT, max_windows=0)
        with pytest.raises(RequestError, match="needs at least 64"):
            perplexity(llm, "abc", window=32)
