"""What a caller has of requests that the engine has taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from foretell.outputs import Chunk
from foretell.worker.channel import Channel


@dataclass(frozen=True)
class Submitted:
    """What the engine has taken: an asynchronous iterator of its chunks.

    Attributes:
        channel: brings the chunks.
        prompt_token_ids: of each prompt.
    """

    channel: Channel[Chunk]
    prompt_token_ids: tuple[Sequence[int], ...]

    @property
    def prompt_lengths(self) -> tuple[int, ...]:
        """Tokens of each prompt."""
        return tuple(map(len, self.prompt_token_ids))

    @property
    def begun(self) -> float | None:
        """When the engine first ran it, by `perf_counter`; None before the first chunk."""
        return self.channel.begun

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        chunk = await self.channel.get()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def arrived(self) -> list[Chunk]:
        """All chunks that are there, of which one is waited for; none after the last."""
        return await self.channel.get_all()
