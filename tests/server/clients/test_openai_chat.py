"""openai-python's chats: each answer is the one that the model gives alone."""

from __future__ import annotations

from typing import Any

import pytest
from support.openai_callers import Caller
from support.toy_server import HELLO

from foretell import LLM
from foretell.outputs import GenerationOutput, TokenLogprob

CREATE = "chat.completions.create"
STREAM = "chat.completions.stream"
ASKED: dict[str, Any] = {"model": "toy", "messages": HELLO, "seed": 5, "max_tokens": 16}
ALONE: dict[str, Any] = {"temperature": 1.0, "seed": 5, "max_new_tokens": 16}


MARK = "[A-Z5]"
"""Ends a text, since the helpers raise an error for one that was cut."""


def chat(alone: LLM, **settings: Any) -> GenerationOutput:
    (output,) = chats(alone, num_return_sequences=1, **settings)
    return output


def chats(alone: LLM, **settings: Any) -> list[GenerationOutput]:
    found = alone.chat(HELLO, **{**ALONE, **settings})
    return found if isinstance(found, list) else [found]


def same_usage(usage: Any, *outputs: GenerationOutput) -> None:
    """The prompt is counted once, and each text."""
    assert usage.prompt_tokens == outputs[0].usage.prompt_tokens
    assert usage.completion_tokens == sum(one.usage.completion_tokens for one in outputs)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens_details.cached_tokens >= 0


def text_of(token: TokenLogprob) -> list[int]:
    return list(token.bytes)


def test_an_answer(openai: Caller, alone: LLM):
    answer = openai.call(CREATE, **ASKED)
    expected = chat(alone)
    (choice,) = answer.choices
    assert choice.message.content == expected.text
    assert choice.message.role == "assistant"
    assert choice.message.tool_calls is None
    assert choice.finish_reason == expected.finish_reason
    assert (answer.object, answer.model) == ("chat.completion", "toy")
    assert answer.system_fingerprint
    assert answer._request_id
    same_usage(answer.usage, expected)


def test_a_stream(openai: Caller, alone: LLM):
    chunks = openai.chunks(CREATE, **ASKED)
    expected = chat(alone)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == expected.text
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices[0].finish_reason == expected.finish_reason
    assert {(chunk.object, chunk.model) for chunk in chunks} == {("chat.completion.chunk", "toy")}
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


def test_usage_at_the_end_of_a_stream(openai: Caller, alone: LLM):
    *chunks, last = openai.chunks(CREATE, **ASKED, stream_options={"include_usage": True})
    assert all(chunk.usage is None for chunk in chunks)
    assert last.choices == []
    same_usage(last.usage, chat(alone))


def test_a_stream_of_helper_events(openai: Caller, alone: LLM):
    events, answer = openai.events(STREAM, **ASKED, extra_body={"stop_regex": MARK})
    expected = chat(alone, stop_regex=MARK)
    assert expected.text
    texts = [event for event in events if event.type == "content.delta"]
    assert "".join(event.delta for event in texts) == texts[-1].snapshot == expected.text
    (done,) = [event for event in events if event.type == "content.done"]
    assert done.content == answer.choices[0].message.content == expected.text
    assert answer.choices[0].finish_reason == expected.finish_reason


def test_helper_events_of_several_texts(openai: Caller, alone: LLM):
    wishes = {"n": 3, "logprobs": True, "top_logprobs": 2, "extra_body": {"stop_regex": MARK}}
    _, answer = openai.events(STREAM, **ASKED, **wishes, stream_options={"include_usage": True})
    expected = chats(alone, num_return_sequences=3, logprobs=2, stop_regex=MARK)
    assert [choice.message.content for choice in answer.choices] == [one.text for one in expected]
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    for choice, output in zip(answer.choices, expected, strict=True):
        assert choice.message.role == "assistant"
        found = [entry.logprob for entry in choice.logprobs.content]
        assert found == [token.logprob for token in output.logprobs or ()]
    same_usage(answer.usage, *expected)


def test_several_texts(openai: Caller, alone: LLM):
    answer = openai.call(CREATE, **ASKED, n=3)
    expected = chats(alone, num_return_sequences=3)
    assert [choice.message.content for choice in answer.choices] == [one.text for one in expected]
    assert len({one.text for one in expected}) == 3
    same_usage(answer.usage, *expected)


def test_log_probabilities(openai: Caller, alone: LLM):
    answer = openai.call(CREATE, **ASKED, logprobs=True, top_logprobs=3)
    expected = chat(alone, logprobs=3).logprobs
    assert expected is not None
    content = answer.choices[0].logprobs.content
    assert [entry.bytes for entry in content] == [text_of(token) for token in expected]
    assert [entry.logprob for entry in content] == [token.logprob for token in expected]
    for entry, token in zip(content, expected, strict=True):
        top = [(one.bytes, one.logprob) for one in entry.top_logprobs]
        assert top == [(text_of(one), one.logprob) for one in token.top]


def test_log_probabilities_in_a_stream_are_the_same(openai: Caller):
    wishes = {**ASKED, "logprobs": True, "top_logprobs": 2}
    whole = openai.call(CREATE, **wishes).choices[0].logprobs.content
    chunks = openai.chunks(CREATE, **wishes)
    told = [chunk.choices[0].logprobs for chunk in chunks]
    assert [entry for one in told if one is not None for entry in one.content] == whole


@pytest.mark.parametrize(
    ("asked", "settings"),
    [
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"temperature": 1.7, "top_p": 0.8}, {"temperature": 1.7, "top_p": 0.8}),
        ({"max_completion_tokens": 7}, {"max_new_tokens": 7}),
        ({"frequency_penalty": 0.5}, {"frequency_penalty": 0.5}),
        ({"presence_penalty": -0.5}, {"presence_penalty": -0.5}),
        ({"logit_bias": {"70": 20}}, {"logit_bias": {70: 20.0}}),
        ({"extra_body": {"top_k": 3}}, {"top_k": 3}),
        ({"extra_body": {"min_p": 0.2}}, {"min_p": 0.2}),
        ({"extra_body": {"repetition_penalty": 1.4}}, {"repetition_penalty": 1.4}),
        ({"extra_body": {"mirostat": 2}}, {"mirostat": 2}),
        ({"extra_body": {"num_beams": 3}, "temperature": 0}, {"num_beams": 3, "temperature": 0.0}),
    ],
)
def test_settings(openai: Caller, alone: LLM, asked: dict[str, Any], settings: dict[str, Any]):
    expected = chat(alone, **settings)
    wishes = {**ASKED, **asked}
    assert openai.call(CREATE, **wishes).choices[0].message.content == expected.text
    chunks = openai.chunks(CREATE, **wishes)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == expected.text


def test_a_stop_is_not_told(openai: Caller, alone: LLM):
    text = chat(alone).text
    stop = text[len(text) // 2]
    answer = openai.call(CREATE, **ASKED, stop=[stop, "never said"])
    expected = chat(alone, stop=[stop, "never said"])
    assert answer.choices[0].message.content == expected.text == text[: text.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


def test_a_conversation_of_all_roles(openai: Caller, alone: LLM):
    messages: list[dict[str, Any]] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "hi"}], "name": "ann"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "again"},
    ]
    answer = openai.call(CREATE, **{**ASKED, "messages": messages})
    assert answer.choices[0].message.content == alone.chat(messages, **ALONE).text


def test_what_is_harmless_changes_nothing(openai: Caller, alone: LLM):
    answer = openai.call(
        CREATE,
        **ASKED,
        user="ann",
        metadata={"a": "b"},
        store=False,
        service_tier="auto",
        prompt_cache_key="k",
        safety_identifier="s",
        verbosity="low",
    )
    assert answer.choices[0].message.content == chat(alone).text


def test_the_raw_answer(openai: Caller, alone: LLM):
    raw = openai.call("chat.completions.with_raw_response.create", **ASKED)
    assert raw.status_code == 200
    assert raw.headers["content-type"] == "application/json"
    assert raw.headers["x-request-id"] == raw.request_id
    assert raw.headers["x-foretell-seed"] == "5"
    assert raw.retries_taken == 0
    assert raw.parse().choices[0].message.content == chat(alone).text


def test_a_request_id_of_the_client_is_told_again(openai: Caller):
    answer = openai.call(CREATE, **ASKED, extra_headers={"X-Request-ID": "mine-1"})
    assert answer._request_id == "mine-1"


def test_an_answer_that_goes_on_with_the_last_message(openai: Caller, alone: LLM):
    messages = [*HELLO, {"role": "assistant", "content": "Well,"}]
    body = {"continue_final_message": True, "add_generation_prompt": False}
    answer = openai.call(CREATE, **{**ASKED, "messages": messages}, extra_body=body)
    prompt = "<|start|>user\nhello<|end|><|start|>assistant\nWell,"
    expected = alone.generate(prompt, parse_special=True, **ALONE)
    assert answer.choices[0].message.content == expected.text
    assert answer.usage.prompt_tokens == expected.usage.prompt_tokens
