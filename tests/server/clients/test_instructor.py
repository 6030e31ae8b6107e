"""instructor's typed answers: each is an instance of the type that was asked for."""

from __future__ import annotations

from typing import Any, Literal

import instructor
import pytest
from openai import OpenAI
from pydantic import BaseModel, Field
from support.real_server import NAME


class Animal(BaseModel):
    """An animal."""

    kind: Literal["cat", "dog"]
    legs: int = Field(ge=0, le=9)


MODES = [
    instructor.Mode.TOOLS,
    instructor.Mode.TOOLS_STRICT,
    instructor.Mode.JSON_SCHEMA,
]
ONE_CALL = {"parallel_tool_calls": False}
TOOLS = (instructor.Mode.TOOLS, instructor.Mode.TOOLS_STRICT)
ASKED: dict[str, Any] = {
    "model": NAME,
    "messages": [{"role": "user", "content": "Name an animal that barks."}],
    "max_tokens": 200,
    "temperature": 0,
    "max_retries": 0,
}


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_an_answer_is_of_its_type(mode: instructor.Mode, real_url: str):
    client = instructor.from_openai(OpenAI(base_url=real_url, api_key="none"), mode=mode)
    wishes = ONE_CALL if mode in TOOLS else {}
    found = client.chat.completions.create(response_model=Animal, **ASKED, **wishes)
    assert isinstance(found, Animal)


@pytest.mark.parametrize("mode", [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA])
def test_a_stream_ends_in_its_type(mode: instructor.Mode, real_url: str):
    client = instructor.from_openai(OpenAI(base_url=real_url, api_key="none"), mode=mode)
    wishes = ONE_CALL if mode in TOOLS else {}
    *_, last = client.chat.completions.create_partial(response_model=Animal, **ASKED, **wishes)
    assert Animal.model_validate(last.model_dump()).kind in ("cat", "dog")
