"""A toy server for tests: a toy model behind the routes, and what its tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from foretell import AsyncLLM
from foretell.backends.base import Backend
from foretell.server.app import create_app
from foretell.server.options import ServerOptions
from support.toy_async import scripted, settled
from support.toy_chat import chatting_tokenizer

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
RESPONSES = "/v1/responses"
HELLO = [{"role": "user", "content": "hello"}]


@dataclass
class Toy:
    """A server's application, and the model behind it."""

    app: Any
    llm: AsyncLLM


@asynccontextmanager
async def serving(
    backend: Backend | None = None, options: ServerOptions | None = None, **arguments: Any
) -> AsyncIterator[Toy]:
    """A toy server; once it is left, nothing may be left of any request."""
    arguments = {"tokenizer": chatting_tokenizer(), **arguments}
    llm = AsyncLLM(backend or scripted(), **arguments)
    async with llm:
        yield Toy(create_app(llm, options or ServerOptions(model_names=("toy", "alias"))), llm)
        await settled(llm)


@asynccontextmanager
async def client_of(app: Any) -> AsyncIterator[Any]:
    """OpenAI's client, which takes nothing that is not as its models say."""
    openai = pytest.importorskip("openai")
    httpx = pytest.importorskip(openai.DefaultAsyncHttpxClient.__mro__[1].__module__.split(".")[0])
    http_client = httpx.AsyncClient(transport=httpx.ASGITransport(app))
    async with openai.AsyncOpenAI(
        api_key="none",
        base_url="http://localhost/v1",
        http_client=http_client,
        _strict_response_validation=True,
        max_retries=0,
    ) as client:
        yield client
