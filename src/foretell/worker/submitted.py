"""What a caller has of requests that the engine has taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from foretell.analysis.tasks import Analysis, Finished, advance
from foretell.outputs import Chunk
from foretell.streaming.run import ordered_outputs
from foretell.worker.channel import Channel
from foretell.worker.tally import note_outputs

P_co = TypeVar("P_co", covariant=True)
V_co = TypeVar("V_co", covariant=True)


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


class SubmittedView(Generic[P_co, V_co]):
    """An analysis that the engine has taken: an asynchronous iterator of the parts of its view.

    It gives lists: the parts that have come since the last one.

    Args:
        channel: brings chunks, and whatever else the parts are made of.
        analysis: is sent the outputs at the end.
        parts: makes the parts of what has come.
    """

    def __init__(
        self,
        channel: Channel[Any],
        analysis: Analysis[V_co],
        parts: Callable[[list[Any]], Awaitable[list[P_co]]],
    ) -> None:
        self._channel = channel
        self._analysis = analysis
        self._parts = parts
        self._last_chunks: list[Chunk] = []

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[P_co]:
        while items := await self._channel.get_all():
            self._last_chunks += (
                item for item in items if isinstance(item, Chunk) and item.output is not None
            )
            found = await self._parts(items)
            if found:
                return found
        raise StopAsyncIteration

    async def view(self) -> V_co:
        """The view, once all parts have come; it is made beside the event loop."""
        outputs = ordered_outputs(self._last_chunks)
        note_outputs(outputs)
        step = await asyncio.to_thread(advance, self._analysis, outputs)
        if not isinstance(step, Finished):
            raise TypeError("an analysis that asks twice has no parts")
        return step.view
