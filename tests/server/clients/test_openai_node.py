"""openai-node: each answer is the one that the model gives alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.node import run_node
from support.served import served
from support.toy_server import HELLO

from foretell import LLM

SETTINGS: dict[str, Any] = {"temperature": 1.0, "seed": 5, "max_new_tokens": 16}
MARK = "[A-Z5]"


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, Any]]:
    """What the script has found, by the names of its cases."""
    with served() as server:
        yield run_node("openai_node.mjs", server.url, package="openai")


def texts_of(chunks: list[dict[str, Any]]) -> str:
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    return "".join(one.get("text") or one.get("delta", {}).get("content") or "" for one in choices)


def test_chats(found: dict[str, Any], alone: LLM):
    expected = alone.chat(HELLO, **SETTINGS)
    (choice,) = found["chat"]["choices"]
    assert choice["message"]["content"] == expected.text
    assert choice["finish_reason"] == expected.finish_reason
    assert found["chat"]["usage"]["completion_tokens"] == expected.usage.completion_tokens
    assert texts_of(found["chat_stream"]) == expected.text
    assert found["chat_stream"][-1]["usage"]["completion_tokens"] == 16


def test_several_texts_and_their_log_probabilities(found: dict[str, Any], alone: LLM):
    outputs: Any = alone.chat(HELLO, **SETTINGS, num_return_sequences=3, logprobs=2)
    for choice, output in zip(found["chat_of_three"]["choices"], outputs, strict=True):
        assert choice["message"]["content"] == output.text
        told = [entry["logprob"] for entry in choice["logprobs"]["content"]]
        assert told == [token.logprob for token in output.logprobs]


def test_the_helper_of_chats(found: dict[str, Any], alone: LLM):
    outputs: Any = alone.chat(HELLO, **SETTINGS, num_return_sequences=2, stop_regex=MARK)
    expected = [output.text for output in outputs]
    assert found["chat_helper"]["texts"] == expected
    final = found["chat_helper"]["final"]
    assert [choice["message"]["content"] for choice in final["choices"]] == expected


def test_completions(found: dict[str, Any], alone: LLM):
    outputs: Any = alone.generate("the cat sat", **SETTINGS, num_return_sequences=2, logprobs=1)
    for choice, output in zip(found["completion"]["choices"], outputs, strict=True):
        assert choice["text"] == output.text
        told = choice["logprobs"]["token_logprobs"]
        assert told == [token.logprob for token in output.logprobs]
    assert texts_of(found["completion_stream"]) == outputs[0].text


def test_responses(found: dict[str, Any], alone: LLM):
    expected = alone.chat(HELLO, **SETTINGS)
    assert found["response"]["output_text"] == expected.text
    assert found["response"]["status"] == "incomplete"
    deltas = [event.get("delta", "") for event in found["response_stream"]]
    assert "".join(deltas) == expected.text
    ended = alone.chat(HELLO, **SETTINGS, stop_regex=MARK)
    assert found["response_helper"]["text"] == ended.text
    assert "response.completed" in found["response_helper"]["types"]


def test_models_and_headers(found: dict[str, Any], alone: LLM):
    assert [model["id"] for model in found["models"]] == ["toy", "alias"]
    raw = found["raw"]
    assert (raw["status"], raw["seed"]) == (200, "5")
    assert raw["request_id"]
    assert raw["data"]["choices"][0]["message"]["content"] == alone.chat(HELLO, **SETTINGS).text


@pytest.mark.parametrize(
    ("name", "kind", "status", "param", "code"),
    [
        ("bad_request", "BadRequestError", 400, "temperature", None),
        ("no_model", "NotFoundError", 404, "model", "model_not_found"),
        ("no_path", "NotFoundError", 404, None, None),
    ],
)
def test_errors(found: dict[str, Any], name: str, kind: str, status: int, param: str, code: str):
    error = found[name]
    assert (error["name"], error["status"]) == (kind, status)
    assert (error["param"], error["code"]) == (param, code)
    assert error["requestID"]


def test_an_aborted_stream_leaves_nothing(found: dict[str, Any]):
    assert found["aborted"] == "text_completion"
