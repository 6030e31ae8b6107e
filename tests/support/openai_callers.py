"""openai-python's two clients by one face, so that each test tries both.

Answers are validated strictly: what lacks a field, or has one of another type, is an error.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from operator import attrgetter
from typing import Any, Self

from openai import AsyncOpenAI, OpenAI


class Caller(ABC):
    """Calls methods of a client by their paths, as "chat.completions.create".

    Args:
        base_url: of the server, up to `/v1`.
        options: of the client.
    """

    def __init__(self, base_url: str, **options: Any) -> None:
        self._options: dict[str, Any] = {
            "base_url": base_url,
            "api_key": "none",
            "max_retries": 0,
            "_strict_response_validation": True,
            **options,
        }

    def lenient(self) -> Self:
        """The same without validation, for where OpenAI's own answers would not pass it."""
        return type(self)(**{**self._options, "_strict_response_validation": False})

    @abstractmethod
    def call(self, path: str, **arguments: Any) -> Any:
        """What a method returns."""

    @abstractmethod
    def chunks(self, path: str, **arguments: Any) -> list[Any]:
        """All that a method streams."""

    @abstractmethod
    def events(self, path: str, **arguments: Any) -> tuple[list[Any], Any]:
        """All events of a `.stream()` helper, and the whole answer that it has put together."""


class SyncCaller(Caller):
    def call(self, path: str, **arguments: Any) -> Any:
        with OpenAI(**self._options) as client:
            return attrgetter(path)(client)(**arguments)

    def chunks(self, path: str, **arguments: Any) -> list[Any]:
        with OpenAI(**self._options) as client:
            return list(attrgetter(path)(client)(**arguments, stream=True))

    def events(self, path: str, **arguments: Any) -> tuple[list[Any], Any]:
        with OpenAI(**self._options) as client, attrgetter(path)(client)(**arguments) as stream:
            return list(stream), getattr(stream, _final(path))()


class AsyncCaller(Caller):
    def call(self, path: str, **arguments: Any) -> Any:
        async def main() -> Any:
            async with AsyncOpenAI(**self._options) as client:
                return await attrgetter(path)(client)(**arguments)

        return asyncio.run(main())

    def chunks(self, path: str, **arguments: Any) -> list[Any]:
        async def main() -> list[Any]:
            async with AsyncOpenAI(**self._options) as client:
                stream = await attrgetter(path)(client)(**arguments, stream=True)
                return [chunk async for chunk in stream]

        return asyncio.run(main())

    def events(self, path: str, **arguments: Any) -> tuple[list[Any], Any]:
        async def main() -> tuple[list[Any], Any]:
            async with (
                AsyncOpenAI(**self._options) as client,
                attrgetter(path)(client)(**arguments) as stream,
            ):
                return [event async for event in stream], await getattr(stream, _final(path))()

        return asyncio.run(main())


def _final(path: str) -> str:
    """What gives the whole answer after a stream of helper events."""
    return "get_final_response" if path.startswith("responses") else "get_final_completion"


CALLERS = {"sync": SyncCaller, "async": AsyncCaller}
