"""openai-python's completions: each answer is the one that the model gives alone.

The models of openai-python want a `finish_reason` in each chunk, and no null among the
log-probabilities of a prompt; OpenAI itself sends both, and so these answers are not validated.
"""

from __future__ import annotations

from typing import Any

import pytest
from support.openai_callers import Caller

from foretell import LLM
from foretell.outputs import GenerationOutput

CREATE = "completions.create"
PROMPT = "the cat sat"
ASKED: dict[str, Any] = {"model": "toy", "seed": 9, "max_tokens": 12}
ALONE: dict[str, Any] = {"temperature": 1.0, "seed": 9, "max_new_tokens": 12}


def generate(alone: LLM, prompt: Any, **settings: Any) -> list[GenerationOutput]:
    found = alone.generate(prompt, **{**ALONE, **settings})
    return found if isinstance(found, list) else [found]


def texts_of(chunks: list[Any], number: int) -> list[str]:
    texts = [""] * number
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    return texts


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize(
    "prompt",
    [PROMPT, [PROMPT], [PROMPT, "a dog"], [7, 8, 9], [[7, 8, 9], [70, 71]]],
    ids=["text", "list", "texts", "ids", "lists"],
)
def test_an_answer(openai: Caller, alone: LLM, prompt: Any, n: int):
    answer = openai.call(CREATE, **ASKED, prompt=prompt, n=n)
    expected = generate(alone, prompt, num_return_sequences=n)
    assert [choice.text for choice in answer.choices] == [one.text for one in expected]
    assert [choice.index for choice in answer.choices] == [*range(len(expected))]
    ends = [choice.finish_reason for choice in answer.choices]
    assert ends == [one.finish_reason for one in expected]
    assert (answer.object, answer.model) == ("text_completion", "toy")
    firsts = [one for one in expected if one.index == 0]
    assert answer.usage.prompt_tokens == sum(one.usage.prompt_tokens for one in firsts)
    assert answer.usage.completion_tokens == sum(one.usage.completion_tokens for one in expected)


def test_a_stream(lenient: Caller, alone: LLM):
    prompts = [PROMPT, "a dog"]
    options = {"include_usage": True}
    *chunks, last = lenient.chunks(CREATE, **ASKED, prompt=prompts, n=2, stream_options=options)
    expected = generate(alone, prompts, num_return_sequences=2)
    assert texts_of(chunks, 4) == [one.text for one in expected]
    assert last.choices == []
    assert last.usage.completion_tokens == sum(one.usage.completion_tokens for one in expected)


def test_the_length_is_16_where_none_is_stated(openai: Caller, alone: LLM):
    answer = openai.call(CREATE, model="toy", prompt=PROMPT, temperature=0)
    (expected,) = generate(alone, PROMPT, temperature=0.0, max_new_tokens=16)
    assert answer.choices[0].text == expected.text


def test_log_probabilities(openai: Caller, alone: LLM):
    choice = openai.call(CREATE, **ASKED, prompt=PROMPT, logprobs=2).choices[0]
    (expected,) = generate(alone, PROMPT, logprobs=2)
    assert expected.logprobs is not None
    told = choice.logprobs
    assert told.token_logprobs == [token.logprob for token in expected.logprobs]
    for top, token in zip(told.top_logprobs, expected.logprobs, strict=True):
        best = {one.logprob for one in token.top}
        assert set(top.values()) == best | {token.logprob}
    assert told.text_offset[0] == 0
    assert told.text_offset == sorted(told.text_offset)


def test_the_chosen_token_alone(openai: Caller, alone: LLM):
    told = openai.call(CREATE, **ASKED, prompt=PROMPT, logprobs=0).choices[0].logprobs
    (expected,) = generate(alone, PROMPT, logprobs=0)
    assert expected.logprobs is not None
    assert told.token_logprobs == [token.logprob for token in expected.logprobs]
    for top, logprob in zip(told.top_logprobs, told.token_logprobs, strict=True):
        assert list(top.values()) == [logprob]


def test_log_probabilities_in_a_stream_are_the_same(openai: Caller, lenient: Caller):
    whole = openai.call(CREATE, **ASKED, prompt=PROMPT, logprobs=2).choices[0].logprobs
    chunks = lenient.chunks(CREATE, **ASKED, prompt=PROMPT, logprobs=2)
    told = [chunk.choices[0].logprobs for chunk in chunks]
    parts = [one for one in told if one is not None]
    assert [entry for one in parts for entry in one.tokens] == whole.tokens
    assert [entry for one in parts for entry in one.token_logprobs] == whole.token_logprobs
    assert [entry for one in parts for entry in one.top_logprobs] == whole.top_logprobs
    assert [entry for one in parts for entry in one.text_offset] == whole.text_offset


def test_the_prompt_is_echoed_and_scored(lenient: Caller, alone: LLM):
    wishes = {"echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}
    choice = lenient.call(CREATE, **{**ASKED, **wishes}, prompt=PROMPT).choices[0]
    score = alone.score(PROMPT)
    assert choice.text.startswith(PROMPT)
    expected = [token.logprob for token in score.tokens]
    assert choice.logprobs.token_logprobs[:-1] == expected
    assert expected[0] is None
    chunks = lenient.chunks(CREATE, **{**ASKED, **wishes}, prompt=PROMPT)
    assert texts_of(chunks, 1) == [choice.text]


def test_a_stop(openai: Caller, alone: LLM):
    (whole,) = generate(alone, PROMPT)
    stop = whole.text[3]
    answer = openai.call(CREATE, **ASKED, prompt=PROMPT, stop=stop)
    assert answer.choices[0].text == whole.text[: whole.text.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


def test_a_prompt_of_none_is_refused_by_name(openai: Caller):
    from openai import BadRequestError

    with pytest.raises(BadRequestError) as caught:
        openai.call(CREATE, **ASKED, prompt=None)
    assert caught.value.param == "prompt"
