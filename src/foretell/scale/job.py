"""A job under way: parts are claimed one after the other, and their rows answered together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from foretell.async_llm import AsyncLLM
from foretell.scale.answers import answer
from foretell.scale.manifest import Manifest
from foretell.scale.parts import Parts
from foretell.scale.records import NO_ERROR
from foretell.scale.rows import Row
from foretell.scale.source import as_row, read_lines
from foretell.scale.state import state_of
from foretell.server.state import ServerState

ROWS_AHEAD = 512
"""Rows that are with the engine, or wait for it, at a time."""

MAX_UNWRITTEN = 4
"""Parts that wait for the disk at a time."""


@dataclass(frozen=True)
class Job:
    """What is to be done, and where.

    Attributes:
        manifest: what the job is.
        input: the file of its rows.
        folder: of its parts.
        shard: of how many takers of every so many parts this is which, from 0; `(0, 1)` takes all.
    """

    manifest: Manifest
    input: Path
    folder: Path
    shard: tuple[int, int] = (0, 1)

    @property
    def parts(self) -> Parts:
        """The files of its parts."""
        return Parts(self.folder, self.manifest.file_format)

    def missing(self) -> Iterator[int]:
        """The parts of this shard that are not there, as they are asked for."""
        index, count = self.shard
        for part in range(index, self.manifest.num_parts, count):
            if not self.parts.is_done(part):
                yield part

    def rows(self, part: int) -> Iterator[Row]:
        """The rows of a part."""
        return (as_row(line, number) for number, line in self.lines(part))

    def lines(self, part: int) -> Iterator[tuple[int, bytes]]:
        """The rows of a part as they stand in the input, with the numbers of their lines.

        ConfigError, at the end, if the input is not what it was.
        """
        manifest = self.manifest
        offset, line = manifest.offsets[part]
        part_hash = manifest.hashes[part]
        return read_lines(self.input, offset, line, manifest.rows_of(part), part_hash)

    def num_missing(self) -> int:
        """Rows of the parts of this shard that are not there."""
        done, (index, count) = self.parts.done(), self.shard
        parts = set(range(index, self.manifest.num_parts, count)) - done
        return sum(map(self.manifest.rows_of, parts))


Progress = Callable[[int, int], None]
"""Called with rows that were answered, and how many of these were refused."""


def silent(answered: int, refused: int) -> None:
    """Shows nothing."""


async def run(
    job: Job, llm: AsyncLLM, show: Progress = silent, *, parts: Iterable[int] | None = None
) -> int:
    """Make the parts that nobody else makes; how many were made.

    The rows of a part begin while those of the one before end, so that the engine is never idle.

    Args:
        job: what is to be done.
        llm: an open model.
        show: see `Progress`.
        parts: numbers of parts to make in place of all that are missing.
    """
    state = state_of(llm, job.manifest)
    feed = _Feed(job, job.missing() if parts is None else parts)
    takers = [asyncio.create_task(_take(feed, job, state, show)) for _ in range(ROWS_AHEAD)]
    try:
        await asyncio.gather(*takers)
    finally:
        for task in takers:
            task.cancel()
        await asyncio.gather(*takers, return_exceptions=True)
        feed.close()
    return feed.made


async def _take(feed: _Feed, job: Job, state: ServerState, show: Progress) -> None:
    """Answer one row after the other, until there are no more."""
    for taken in feed:
        if taken is None:
            await feed.room()
            continue
        part, index, row = taken
        line = await answer(row, job.manifest, state)
        show(1, int(not line.endswith(NO_ERROR)))
        part.lines[index] = line
        part.left -= 1
        if not part.left:
            await feed.write(part)


@dataclass(eq=False)
class _UnderWay:
    """A part that is claimed.

    Attributes:
        number: of the part.
        claim: lets go of it.
        lines: its answers, as far as there are any.
        left: rows without an answer.
        begun: when, by `perf_counter`.
    """

    number: int
    claim: ExitStack
    lines: list[bytes]
    left: int
    begun: float = field(default_factory=perf_counter)


_Taken = tuple[_UnderWay, int, Row]


class _Feed:
    """Gives rows, part after part, each with its place in its part, and writes parts.

    While too many parts wait for the disk, it gives None before it begins another one.

    Args:
        job: whose rows they are.
        parts: numbers of the parts; those that somebody else is at are passed over.

    Attributes:
        made: parts that were written.
    """

    def __init__(self, job: Job, parts: Iterable[int]) -> None:
        self._job = job
        self._rows = self._read(parts)
        self._open: set[_UnderWay] = set()
        self._unwritten = self.made = 0
        self._keeps_up = asyncio.Event()
        self._keeps_up.set()
        self._turn = asyncio.Lock()

    def __iter__(self) -> Iterator[_Taken | None]:
        return self._rows

    async def room(self) -> None:
        """Wait until another part may begin; one after the other, since one taker begins it."""
        async with self._turn:
            await self._keeps_up.wait()

    async def write(self, part: _UnderWay) -> None:
        """Write a part that is whole, and let go of it."""
        seconds = perf_counter() - part.begun
        self._unwritten += 1
        if self._unwritten >= MAX_UNWRITTEN:
            self._keeps_up.clear()
        await asyncio.to_thread(self._job.parts.write, part.number, part.lines, seconds)
        self._unwritten -= 1
        if self._unwritten < MAX_UNWRITTEN:
            self._keeps_up.set()
        self._open.remove(part)
        part.claim.close()
        part.lines = []  # whoever took a row of it last remembers the part
        self.made += 1

    def close(self) -> None:
        """Let go of all parts."""
        while self._open:
            self._open.pop().claim.close()

    def _read(self, parts: Iterable[int]) -> Iterator[_Taken | None]:
        for number in parts:
            while not self._keeps_up.is_set():
                yield None
            claim = ExitStack()
            if not claim.enter_context(self._job.parts.claim(number)):
                claim.close()
                continue
            part = _UnderWay(number, claim, [], 0)
            self._open.add(part)
            rows = [*self._job.rows(number)]  # all, so that they are known to be the job's
            part.lines, part.left = [b""] * len(rows), len(rows)
            for index, row in enumerate(rows):
                yield part, index, row


async def answer_rows(
    rows: Iterable[Row],
    manifest: Manifest,
    state: ServerState,
    room: asyncio.Semaphore,
    show: Progress = silent,
) -> list[bytes]:
    """The answers of rows, in their order.

    Args:
        rows: are read as there is room for them.
        manifest: the job's.
        state: has the model.
        room: for rows that are with the engine, whoever asks.
        show: see `Progress`.
    """

    async def one(row: Row) -> bytes:
        try:
            line = await answer(row, manifest, state)
        finally:
            room.release()
        show(1, int(not line.endswith(NO_ERROR)))
        return line

    tasks = []
    try:
        for row in rows:
            await room.acquire()
            tasks.append(asyncio.create_task(one(row)))
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
