"""litellm: each answer is the one that the model gives alone."""

from __future__ import annotations

from typing import Any

import litellm
import pytest
from support.real_server import NAME

from foretell import LLM

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Name three colours."},
]
ALONE: dict[str, Any] = {"temperature": 1.0, "seed": 4, "max_new_tokens": 14}


@pytest.fixture
def asked(real_url: str) -> dict[str, Any]:
    return {
        "model": f"openai/{NAME}",
        "api_base": real_url,
        "api_key": "none",
        "messages": MESSAGES,
        "seed": 4,
        "max_tokens": 14,
    }


def same(answer: Any, real: LLM) -> None:
    expected = real.chat(MESSAGES, **ALONE)
    assert answer.choices[0].message.content == expected.text
    assert answer.choices[0].finish_reason == expected.finish_reason
    assert answer.usage.prompt_tokens == expected.usage.prompt_tokens
    assert answer.usage.completion_tokens == expected.usage.completion_tokens


def test_a_chat(asked: dict[str, Any], real: LLM):
    same(litellm.completion(**asked), real)


async def test_a_chat_on_an_event_loop(asked: dict[str, Any], real: LLM):
    same(await litellm.acompletion(**asked), real)


def test_a_stream(asked: dict[str, Any], real: LLM):
    options = {"include_usage": True}
    chunks = list(litellm.completion(**asked, stream=True, stream_options=options))
    same(litellm.stream_chunk_builder(chunks, messages=MESSAGES), real)


async def test_a_stream_on_an_event_loop(asked: dict[str, Any], real: LLM):
    stream: Any = await litellm.acompletion(**asked, stream=True)
    parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(parts) == real.chat(MESSAGES, **ALONE).text


def test_log_probabilities_of_several_texts(asked: dict[str, Any], real: LLM):
    answer: Any = litellm.completion(**asked, n=2, logprobs=True, top_logprobs=2)
    outputs: Any = real.chat(MESSAGES, **ALONE, num_return_sequences=2, logprobs=2)
    for choice, output in zip(answer.choices, outputs, strict=True):
        told = [entry.logprob for entry in choice.logprobs.content]
        assert told == [token.logprob for token in output.logprobs]


def test_settings_of_foretell(asked: dict[str, Any], real: LLM):
    body = {"top_k": 5, "min_p": 0.05, "repetition_penalty": 1.2}
    answer: Any = litellm.completion(**asked, extra_body=body)
    expected = real.chat(MESSAGES, **{**ALONE, **body})
    assert answer.choices[0].message.content == expected.text


def test_a_completion(asked: dict[str, Any], real: LLM):
    fields = {**asked, "model": f"text-completion-openai/{NAME}", "prompt": "The cat sat on"}
    del fields["messages"]
    answer: Any = litellm.text_completion(**fields)
    assert answer.choices[0].text == real.generate("The cat sat on", **ALONE).text


def test_errors(asked: dict[str, Any]):
    with pytest.raises(litellm.BadRequestError, match="temperature"):
        litellm.completion(**asked, temperature=-1)
    with pytest.raises(litellm.NotFoundError, match="gpt-9"):
        litellm.completion(**{**asked, "model": "openai/gpt-9"})
    long = [{"role": "user", "content": "word " * 9000}]
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(**{**asked, "messages": long})
