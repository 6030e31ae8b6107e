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
    """Calls methods of a client by their paths, as "chat.completions.create", until it is closed.

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lenient(self) -> Self:
        """The same without validation, for where OpenAI's own answers would not pass it."""
        return type(self)(**{**self._options, "_strict_response_validation": False})

    @abstractmethod
    def close(self) -> None:
        """Close the client."""

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
    def __init__(self, base_url: str, **options: Any) -> None:
        super().__init__(base_url, **options)
        self._client = OpenAI(**self._options)

    def close(self) -> None:
        self._client.close()

    def call(self, path: str, **arguments: Any) -> Any:
        return attrgetter(path)(self._client)(**arguments)

    def chunks(self, path: str, **arguments: Any) -> list[Any]:
        return list(attrgetter(path)(self._client)(**arguments, stream=True))

    def events(self, path: str, **arguments: Any) -> tuple[list[Any], Any]:
        with attrgetter(path)(self._client)(**arguments) as stream:
            return list(stream), getattr(stream, _final(path))()


class AsyncCaller(Caller):
    def __init__(self, base_url: str, **options: Any) -> None:
        super().__init__(base_url, **options)
        self._client = AsyncOpenAI(**self._options)
        self._runner = asyncio.Runner()

    def close(self) -> None:
        with self._runner as runner:
            runner.run(self._client.close())

    def call(self, path: str, **arguments: Any) -> Any:
        async def main() -> Any:
            return await attrgetter(path)(self._client)(**arguments)

        return self._runner.run(main())

    def chunks(self, path: str, **arguments: Any) -> list[Any]:
        async def main() -> list[Any]:
            stream = await attrgetter(path)(self._client)(**arguments, stream=True)
            return [chunk async for chunk in stream]

        return self._runner.run(main())

    def events(self, path: str, **arguments: Any) -> tuple[list[Any], Any]:
        async def main() -> tuple[list[Any], Any]:
            async with attrgetter(path)(self._client)(**arguments) as stream:
                return [event async for event in stream], await getattr(stream, _final(path))()

        return self._runner.run(main())


def _final(path: str) -> str:
    """What gives the whole answer after a stream of helper events."""
    return "get_final_response" if path.startswith("responses") else "get_final_completion"


CALLERS = {"sync": SyncCaller, "async": AsyncCaller}
