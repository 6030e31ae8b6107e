"""openai-python's responses: each answer is the one that the model gives alone."""

from __future__ import annotations

from typing import Any

import pytest
from support.openai_callers import Caller

from foretell import LLM

CREATE = "responses.create"
STREAM = "responses.stream"
TEXT = "hello"
MESSAGES = [{"role": "user", "content": TEXT}]
ASKED: dict[str, Any] = {"model": "toy", "max_output_tokens": 16, "extra_body": {"seed": 5}}
ALONE: dict[str, Any] = {"temperature": 1.0, "seed": 5, "max_new_tokens": 16}
MARK = "[A-Z5]"
"""Ends a text, since the helpers know only responses that came to their end."""

ENDING: dict[str, Any] = {**ASKED, "extra_body": {"seed": 5, "stop_regex": MARK}}


def test_a_response_that_was_cut(openai: Caller, alone: LLM):
    answer = openai.call(CREATE, **ASKED, input=TEXT)
    expected = alone.chat(MESSAGES, **ALONE)
    assert answer.output_text == expected.text
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage.input_tokens == expected.usage.prompt_tokens
    assert answer.usage.output_tokens == expected.usage.completion_tokens
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_a_response_that_came_to_its_end(openai: Caller, alone: LLM):
    answer = openai.call(CREATE, **ENDING, input=TEXT)
    expected = alone.chat(MESSAGES, **ALONE, stop_regex=MARK)
    assert answer.output_text == expected.text != ""
    assert (answer.object, answer.status, answer.error) == ("response", "completed", None)
    (item,) = answer.output
    assert (item.type, item.role, item.status) == ("message", "assistant", "completed")


def test_a_stream(openai: Caller, alone: LLM):
    events = openai.chunks(CREATE, **ENDING, input=TEXT)
    expected = alone.chat(MESSAGES, **ALONE, stop_regex=MARK)
    kinds = [event.type.removeprefix("response.") for event in events]
    start = ["created", "in_progress", "output_item.added", "content_part.added"]
    end = ["output_text.done", "content_part.done", "output_item.done", "completed"]
    num_deltas = len(events) - len(start) - len(end)
    assert kinds == [*start, *["output_text.delta"] * num_deltas, *end]
    assert [event.sequence_number for event in events] == [*range(len(events))]
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == expected.text
    assert events[-1].response.output_text == expected.text
    assert events[-1].response.usage.output_tokens == expected.usage.completion_tokens


def test_a_stream_that_was_cut(openai: Caller, alone: LLM):
    events = openai.chunks(CREATE, **ASKED, input=TEXT)
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.output_text == alone.chat(MESSAGES, **ALONE).text


def test_a_stream_of_helper_events(openai: Caller, alone: LLM):
    events, answer = openai.events(STREAM, **ENDING, input=TEXT)
    expected = alone.chat(MESSAGES, **ALONE, stop_regex=MARK)
    texts = [event for event in events if event.type == "response.output_text.delta"]
    assert texts[-1].snapshot == answer.output_text == expected.text


def test_log_probabilities(openai: Caller, alone: LLM):
    wishes = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    answer = openai.call(CREATE, **ASKED, input=TEXT, **wishes)
    expected = alone.chat(MESSAGES, **ALONE, logprobs=2).logprobs
    assert expected is not None
    told = answer.output[0].content[0].logprobs
    assert [entry.logprob for entry in told] == [token.logprob for token in expected]
    assert [entry.bytes for entry in told] == [list(token.bytes) for token in expected]
    events = openai.chunks(CREATE, **ASKED, input=TEXT, **wishes)
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert [one.logprob for delta in deltas for one in delta.logprobs] == [
        entry.logprob for entry in told
    ]


@pytest.mark.parametrize(
    ("asked", "settings"),
    [
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"temperature": 0.8, "top_p": 0.7}, {"temperature": 0.8, "top_p": 0.7}),
        ({"max_output_tokens": 5}, {"max_new_tokens": 5}),
    ],
)
def test_settings(openai: Caller, alone: LLM, asked: dict[str, Any], settings: dict[str, Any]):
    answer = openai.call(CREATE, **{**ASKED, **asked}, input=TEXT)
    assert answer.output_text == alone.chat(MESSAGES, **{**ALONE, **settings}).text


def test_a_conversation(openai: Caller, alone: LLM):
    first = openai.call(CREATE, **ENDING, input=TEXT, instructions="Be brief.")
    asked = [{"role": "user", "content": [{"type": "input_text", "text": TEXT}]}]
    again = {"role": "user", "content": "again"}
    said = [item.to_dict() for item in first.output]
    answer = openai.call(
        CREATE, **ASKED, input=[*asked, *said, again], instructions="Be brief.", store=False
    )
    system = {"role": "system", "content": "Be brief."}
    reply = {"role": "assistant", "content": first.output_text}
    assert answer.output_text == alone.chat([system, *MESSAGES, reply, again], **ALONE).text


def test_what_is_remembered_nowhere_is_refused_by_name(openai: Caller):
    from openai import BadRequestError

    with pytest.raises(BadRequestError) as caught:
        openai.call(CREATE, **ASKED, input=TEXT, previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"


def test_nothing_is_kept(openai: Caller):
    from openai import NotFoundError

    with pytest.raises(NotFoundError):
        openai.call("responses.retrieve", response_id="resp_1")
