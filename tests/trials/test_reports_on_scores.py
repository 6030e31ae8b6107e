"""What users of other engines reported about log-probabilities: see docs/trials.md."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from support.toy import VOCAB_SIZE, toy_llm
from support.trials import id_of, softmax

from foretell import ConfigError
from foretell.backends.scripted import improvise
from foretell.outputs import JsonMixin

SCRIPT = improvise(VOCAB_SIZE)
PROMPT = [5, 6, 7]


def logprobs_by_hand(ids: list[int], num_before: int) -> list[float]:
    """Log-probability of each id after the first so many, in float64."""
    return [
        float(np.log(softmax(SCRIPT(tuple(ids[:place])))[ids[place]]))
        for place in range(num_before, len(ids))
    ]


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.5, "seed": 3}, {"top_k": 4, "seed": 1}])
def test_a_tokens_log_probability_is_its_own(settings):
    with toy_llm() as llm:
        out = llm.generate(PROMPT, logprobs=3, max_new_tokens=6, ignore_eos=True, **settings)
    expected = logprobs_by_hand([*PROMPT, *out.token_ids], len(PROMPT))
    assert [one.token_id for one in out.logprobs] == out.token_ids
    assert [one.logprob for one in out.logprobs] == pytest.approx(expected, rel=1e-6)
    for place, one in enumerate(out.logprobs):
        odds = softmax(SCRIPT((*PROMPT, *out.token_ids[:place])))
        assert [other.token_id for other in one.top] == np.argsort(-odds)[:3].tolist()
        assert one.rank == 1 + int((odds > odds[one.token_id]).sum())
        same = [other for other in one.top if other.token_id == one.token_id]
        assert all(other.logprob == one.logprob for other in same)


def test_no_alternatives_still_tell_of_the_token_itself():
    with toy_llm() as llm:
        for one in llm.generate(PROMPT, logprobs=0, max_new_tokens=3).logprobs:
            assert one.logprob < 0
            assert one.top == ()


def test_a_prompts_tokens_are_scored_each_by_what_stands_before_it():
    ids = [*PROMPT, 100, 101, 5, 6]
    expected = logprobs_by_hand(ids, 1)
    with toy_llm() as llm:
        score = llm.score(ids, top=2)
        out = llm.generate(ids, prompt_logprobs=2, max_new_tokens=1)
    for found in (score.tokens, out.prompt_logprobs):
        assert [one.token_id for one in found] == ids  # so the prompt's own token is told apart
        assert found[0].logprob is None
        assert [one.logprob for one in found[1:]] == pytest.approx(expected, rel=1e-6)
        assert all(len(one.top) == 2 for one in found[1:])
    assert score.logprob == pytest.approx(sum(expected), rel=1e-6)
    assert score.perplexity == pytest.approx(np.exp(-np.mean(expected)), rel=1e-6)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
def test_a_beams_score_is_the_sum_of_its_log_probabilities_over_its_length(length_penalty):
    with toy_llm() as llm:
        outs = llm.generate(
            PROMPT,
            num_beams=4,
            num_return_sequences=4,
            length_penalty=length_penalty,
            max_new_tokens=7,
        )
    for out in outs:
        total = sum(logprobs_by_hand([*PROMPT, *out.token_ids], len(PROMPT)))
        assert out.score == pytest.approx(total / len(out.token_ids) ** length_penalty, rel=1e-5)
    assert [out.score for out in outs] == sorted((out.score for out in outs), reverse=True)


def test_no_more_texts_are_given_than_there_are_beams():
    with toy_llm() as llm, pytest.raises(ConfigError, match="num_return_sequences"):
        llm.generate(PROMPT, num_beams=2, num_return_sequences=3)


def strict(found: JsonMixin) -> Any:
    """What a parser that keeps to the letter of JSON makes of it."""
    return json.loads(json.dumps(found.to_dict(), allow_nan=False))


def test_what_is_impossible_is_null_in_json():
    row = np.full(VOCAB_SIZE, -np.inf, np.float32)
    row[[id_of("a"), id_of("b")]] = 1.0, 0.0
    with toy_llm(lambda history: row.copy()) as llm:
        settings = {"temperature": 1.0, "top_k": 1, "max_new_tokens": 1}
        out = llm.generate("x", logprobs=3, logprobs_stage=("raw", "final"), **settings)
        assert [one["logprob"] for one in strict(out)["logprobs"][0]["top"]][2] is None
        assert strict(out)["logprobs_by_stage"]["final"][0]["top"][1]["logprob"] is None
        score = llm.score("xz")
        assert score.perplexity == np.inf
        assert strict(score)["perplexity"] is None
        assert strict(score)["logprob"] is None
        assert strict(llm.next("x", top=3))["tokens"][2]["logit"] is None
        *_, last = llm.stream("x", logprobs=3, **settings)
        assert strict(last)["finish_reason"] == "length"
