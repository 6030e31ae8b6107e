"""The AI SDK with its OpenAI-compatible provider: answers as the model gives them alone."""

from __future__ import annotations

from typing import Any

import pytest
from support.node import run_node
from support.real_server import NAME

from foretell import LLM

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Name three colours."},
]
ALONE: dict[str, Any] = {"temperature": 0.0, "max_new_tokens": 14}


@pytest.fixture(scope="module")
def found(real_url: str) -> dict[str, Any]:
    """What the script has found."""
    answers: dict[str, Any] = run_node("ai_sdk.mjs", real_url, NAME, package="ai")
    return answers


@pytest.mark.parametrize("name", ["generated", "streamed"])
def test_a_text(found: dict[str, Any], real: LLM, name: str):
    expected = real.chat(MESSAGES, **ALONE)
    assert found[name]["text"] == expected.text
    assert found[name]["finishReason"] == expected.finish_reason
    assert found[name]["usage"]["inputTokens"] == expected.usage.prompt_tokens
    assert found[name]["usage"]["outputTokens"] == expected.usage.completion_tokens


def test_the_parts_of_a_stream(found: dict[str, Any]):
    assert len(found["streamed"]["parts"]) > 1
    assert "".join(found["streamed"]["parts"]) == found["streamed"]["text"]


def test_a_seed(found: dict[str, Any], real: LLM):
    expected = real.chat(MESSAGES, temperature=1.0, seed=4, max_new_tokens=14)
    assert found["seeded"]["text"] == expected.text


def test_a_completion(found: dict[str, Any], real: LLM):
    # the SDK spells a conversation out, and stops where the user would speak again
    prompt = "user:\nThe cat sat on\n\nassistant:\n"
    expected = real.generate(prompt, **ALONE, stop=["\nuser:"])
    assert found["completed"]["text"] == expected.text


def test_an_error(found: dict[str, Any]):
    assert found["refused"]["name"] == "AI_APICallError"
    assert found["refused"]["status"] == 404
    assert "gpt-9" in found["refused"]["message"]
