"""What may follow a context is scored as it is within the whole text, and as greedy would go."""

import asyncio
import math

import numpy as np
import pytest
from support.toy import BOS, VOCAB_SIZE, toy_llm, toy_tokenizer
from support.toy_async import toy_async_llm

from foretell import ConfigError, ContinuationScore, RequestError
from foretell.analysis.continuations import ScoredSpan, score_spans
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.llm import LLM

CONTEXT = "the cat sat on the mat and"
NEXT = [" the cat", " a", " the", "!" * 90, " zzz"]


def tail_of(score, count):
    return [token.logprob for token in score.tokens[-count:]]


def test_it_is_the_end_of_the_whole_texts_score():
    with toy_llm() as llm:
        found = llm.score(CONTEXT, NEXT)
        assert [one.text for one in found] == NEXT
        for one, text in zip(found, NEXT, strict=True):
            whole = llm.score(CONTEXT + text)
            assert [token.logprob for token in one.tokens] == tail_of(whole, one.num_scored)
            assert one.logprob == pytest.approx(sum(tail_of(whole, one.num_scored)), rel=1e-15)
            assert one.context == CONTEXT
            assert "".join(token.token for token in one.tokens) == text


def test_one_is_scored_as_among_many():
    with toy_llm() as llm:
        together = llm.score(
            CONTEXT,
            NEXT,
        )
    for one, text in zip(together, NEXT, strict=True):
        with toy_llm() as alone:
            assert alone.score(CONTEXT, text) == one
            assert alone.score(CONTEXT, continuations=text) == one
            assert alone.score(CONTEXT, continuations=[text]) == [one]


def test_greedy_text_is_told():
    with toy_llm() as llm:
        written = llm.generate(CONTEXT, max_new_tokens=9).token_ids
        ids = toy_tokenizer().encode(CONTEXT)
        other = [*written[:-1], (written[-1] + 1) % VOCAB_SIZE]
        scores = llm.score(ids, [written, other, written[:3]])
        assert [one.is_greedy for one in scores] == [True, False, True]
        assert [one.num_scored for one in scores] == [9, 9, 3]


def test_alternatives_are_listed_where_asked_for():
    with toy_llm() as llm:
        (one,) = llm.score("ab", continuations=["cd"], top=3)
        assert [len(token.top) for token in one.tokens] == [3, 3]
        assert one.tokens[0].top == llm.score("abcd", top=3).tokens[2].top


def test_it_is_a_score():
    with toy_llm() as llm:
        one = llm.score("ab", "cd")
    assert isinstance(one, ContinuationScore)
    assert one.perplexity == math.exp(-one.logprob / 2)
    assert set(one.to_dict()) >= {"context", "is_greedy", "logprob", "tokens", "perplexity"}
    assert str(one).endswith("over 2 tokens")


@pytest.mark.parametrize("adds_bos", [False, True])
def test_a_token_across_the_border_counts_to_the_continuation(adds_bos):
    with toy_llm(adds_bos=adds_bos) as llm:
        one = llm.score("a c", "at")  # " cat" is one token
        assert (one.text, one.num_scored) == (" cat", 1)
        assert one.logprob == llm.score("a cat").tokens[-1].logprob


def test_with_a_first_token_a_text_may_follow_nothing():
    with toy_llm(adds_bos=True) as llm:
        assert llm.score("", "ab").logprob == llm.score("ab").logprob
        assert llm.score([BOS], "ab").num_scored == 2


def test_ids_stand_as_they_are():
    with toy_llm() as llm:
        ids, more = [5, 6, 7], [8, 9]
        expected = tail_of(llm.score([*ids, *more]), 2)
        for given in (more, np.array(more)):
            assert [one.logprob for one in llm.score(ids, given).tokens] == expected
        assert len(llm.score(ids, [more, "ab"])) == 2
        assert llm.score("ab", more).num_scored == 2


def test_a_whole_context_and_one_token_more_fit():
    with toy_llm(context_length=16, num_blocks=8) as llm:
        assert llm.score([1] * 15, [2, 3]).num_scored == 2
        with pytest.raises(RequestError, match="17 tokens: 17 positions, but the context has 16"):
            llm.score([1] * 15, [2, 3, 4])


def test_the_context_is_computed_once():
    backend = ScriptedBackend(improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE)
    with LLM(backend, tokenizer=toy_tokenizer()) as llm:
        llm.score([9] * 40, [[1], [2], [3], [4, 5], [4, 6]])
    assert sum(len(batch.tokens) for batch in backend.batches) < 40 + 3 * 4 + 5
    assert sum(len(batch.logits_indices) for batch in backend.batches) == 1 + 2


def test_async_is_the_same():
    with toy_llm() as llm:
        expected = llm.score(CONTEXT, NEXT), llm.score(CONTEXT, NEXT[0]), llm.score(CONTEXT)

    async def ask():
        async with toy_async_llm() as llm:
            return await asyncio.gather(
                llm.score(CONTEXT, NEXT), llm.score(CONTEXT, NEXT[0]), llm.score(CONTEXT)
            )

    assert tuple(asyncio.run(ask())) == expected


def test_nothing_to_score_is_no_error():
    with toy_llm() as llm:
        assert llm.score("ab", []) == []
        assert llm._analyse(score_spans([])) == []


@pytest.mark.parametrize(
    ("context", "continuations", "message"),
    [
        ("ab", "", "continuations='' is empty: must have at least one token"),
        ("ab", ["c", ""], r"continuations\[1\]='' is empty"),
        ("ab", [[1], []], r"continuations\[1\]=\[\] is empty"),
        ("", "ab", "the context has no tokens"),
        (" c", "at", "is one token with all of the context"),
        ([1], [[2], [999]], r"continuations\[1\] have token 999: must be 0 to 262"),
        ([-1], [2], "have token -1"),
        ("ab", [None], "must be a str, a list of token ids"),
        ("ab", 3.5, "must be a str, a list of token ids"),
    ],
)
def test_what_makes_no_sense_is_refused(context, continuations, message):
    with toy_llm() as llm, pytest.raises(RequestError, match=message):
        llm.score(context, continuations=continuations)


def test_a_number_of_alternatives_is_one():
    with toy_llm() as llm:
        with pytest.raises(ConfigError, match="top=-1"):
            llm.score("ab", continuations="c", top=-1)
        with pytest.raises(ConfigError, match="must be a number where continuations are given"):
            llm.score("ab", "c", continuations="d")


def test_spans_that_share_all_but_the_last_token_are_one_request():
    with toy_llm() as llm:
        spans = [ScoredSpan([1, 2, 3, last], 2) for last in (4, 5, 6)]
        found = llm._analyse(score_spans(spans))
        alone = [llm._analyse(score_spans([span]))[0] for span in spans]
    assert found == alone
    assert [[one.chosen.token_id for one in score.reports] for score in found] == [
        [3, 4], [3, 5], [3, 6],
    ]  # fmt: skip
