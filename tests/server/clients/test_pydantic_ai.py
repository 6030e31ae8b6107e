"""pydantic-ai's agents: each answer is the one that the model gives alone."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from pydantic_ai import Agent, ModelHTTPError, NativeOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from support.real_server import NAME

from foretell import LLM

ORDER = "Be brief."
QUESTION = "Name three colours."
ALONE: dict[str, Any] = {"temperature": 0.0, "max_new_tokens": 14}
SETTINGS: Any = {"temperature": 0.0, "max_tokens": 14}
SYSTEM = {"role": "system", "content": ORDER}


def turn(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


@pytest.fixture(params=[OpenAIChatModel, OpenAIResponsesModel], ids=["chat", "responses"])
def agent(request: pytest.FixtureRequest, real_url: str) -> Agent:
    provider = OpenAIProvider(base_url=real_url, api_key="none")
    return Agent(request.param(NAME, provider=provider), instructions=ORDER)


async def test_a_run(agent: Agent, real: LLM):
    expected = real.chat([SYSTEM, turn("user", QUESTION)], **ALONE)
    found = await agent.run(QUESTION, model_settings=SETTINGS)
    assert found.output == expected.text
    assert found.usage.output_tokens == expected.usage.completion_tokens
    assert found.usage.input_tokens == expected.usage.prompt_tokens


async def test_a_stream(agent: Agent, real: LLM):
    expected = real.chat([SYSTEM, turn("user", QUESTION)], **ALONE)
    async with agent.run_stream(QUESTION, model_settings=SETTINGS) as run:
        parts = [text async for text in run.stream_text(delta=True, debounce_by=None)]
    assert "".join(parts) == expected.text
    assert run.usage.output_tokens == expected.usage.completion_tokens


async def test_a_conversation(agent: Agent, real: LLM):
    first = await agent.run(QUESTION, model_settings=SETTINGS)
    history = first.all_messages()
    again = await agent.run("And three more.", message_history=history, model_settings=SETTINGS)
    turns = [turn("user", QUESTION), turn("assistant", first.output)]
    messages = [SYSTEM, *turns, turn("user", "And three more.")]
    assert again.output == real.chat(messages, **ALONE).text


async def test_a_tool_is_called_and_its_answer_read(agent: Agent):
    asked: list[str] = []

    @agent.tool_plain
    def weather(city: Literal["Oslo", "Rome"]) -> str:
        asked.append(city)
        return "rain"

    wishes = {"tool_choice": "required", "parallel_tool_calls": False}
    forced: Any = {"temperature": 0.0, "max_tokens": 60, "extra_body": wishes}
    async with agent.iter("Is it warm in Oslo?", model_settings=forced) as run:
        async for node in run:
            if asked:
                break
            assert node is not None
    assert asked[0] in ("Oslo", "Rome")


class Animal(BaseModel):
    kind: Literal["cat", "dog"]
    legs: int = Field(ge=0, le=9)


@pytest.mark.parametrize("form", [NativeOutput, ToolOutput])
async def test_an_output_is_of_its_type(agent: Agent, form: Any):
    settings: Any = {"temperature": 0.0, "max_tokens": 100}
    found = await agent.run("An animal.", output_type=form(Animal), model_settings=settings)
    assert isinstance(found.output, Animal)


async def test_what_does_not_fit_the_context(agent: Agent):
    with pytest.raises(ModelHTTPError, match="the prompt is too long") as caught:
        await agent.run("word " * 9000)
    assert caught.value.status_code == 400
