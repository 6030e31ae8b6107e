"""What runs in a process of Ray's for a job: a model, and the answers of rows that it is sent."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from foretell.async_llm import AsyncLLM
from foretell.errors import ForetellError
from foretell.scale.faults import TRANSIENT
from foretell.scale.job import ROWS_AHEAD, answer_rows
from foretell.scale.manifest import Manifest
from foretell.scale.ray.counts import Counts
from foretell.scale.ray.model import Opening
from foretell.scale.rows import Row
from foretell.scale.source import as_row
from foretell.scale.state import state_of
from foretell.server.state import ServerState

Lines = Sequence[tuple[int, bytes]]
"""Rows as they stand in the input, with the numbers of their lines."""


class LostError(ForetellError):
    """A worker could not answer, for a reason that it has told."""


class TransientError(LostError):
    """Another worker may be able to, or this one another time."""


@dataclass(frozen=True)
class Place:
    """Where a worker is."""

    machine: str
    pid: int


class Worker:
    """Answers parts. It writes nothing: what it has computed goes back to who asked.

    Args:
        opening: the model.
        manifest: the job's; where parts begin it need not say.
    """

    def __init__(self, opening: Opening, manifest: Manifest) -> None:
        self._opening = opening
        self._manifest = manifest
        self._state: ServerState | None = None
        self._llm: AsyncLLM | None = None

    async def where(self) -> Place:
        """Answered as soon as there is a process."""
        return Place(socket.gethostname(), os.getpid())

    async def open(self) -> None:
        """Load the model."""
        with _telling():
            self._llm = await self._opening.open()
        self._state = state_of(self._llm, self._manifest)
        self._room = asyncio.Semaphore(ROWS_AHEAD)
        self._counts = Counts()

    async def answer(self, lines: Lines) -> list[bytes]:
        """The answers of some rows; several calls at a time share the engine's steps."""
        assert self._state is not None
        with _telling():
            answers = await answer_rows(_rows(lines), self._manifest, self._state, self._room)
        self._counts.add_lines(answers)
        return answers


@contextmanager
def _telling() -> Iterator[None]:
    """Raise errors as what the driver can read, whatever they carry with them."""
    try:
        yield
    except TRANSIENT as error:
        raise TransientError(str(error)) from None
    except ForetellError as error:
        raise LostError(str(error)) from None


def _rows(lines: Lines) -> Iterator[Row]:
    return (as_row(line, number) for number, line in lines)


def without_places(manifest: Manifest) -> Manifest:
    """A manifest that a worker is sent: where parts begin is much, and none of its business."""
    return replace(manifest, offsets=[], hashes=[])
