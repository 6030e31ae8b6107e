"""What processes of Ray's open in tests, and how they find it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from foretell import AsyncLLM
from foretell.backends.base import Backend
from foretell.errors import BusyError
from foretell.scale.ray.model import Opening
from foretell.server.options import ServerOptions
from support.toy_async import scripted
from support.toy_chat import chatting_tokenizer

TESTS = Path(__file__).parents[1]


def let_workers_find_the_tests() -> None:
    """Before Ray is started: its processes open models of the tests."""
    os.environ["PYTHONPATH"] = str(TESTS)


@dataclass(frozen=True)
class ToyOpening(Opening):
    """Opens a toy, wherever it is.

    Attributes:
        make: makes its backend.
    """

    make: Callable[[], Backend] = scripted

    async def open(self) -> AsyncLLM:
        options = {name: value for name, value in self.options.items() if name != "threads"}
        return await AsyncLLM(self.make(), tokenizer=chatting_tokenizer(), **options).open()


@dataclass(frozen=True)
class ToyServer:
    """What `ray_server.py` serves.

    Attributes:
        opening: the model.
        options: of the server.
        loads: whether it answers before the model is there.
    """

    opening: ToyOpening
    options: ServerOptions
    loads: bool


@dataclass(frozen=True)
class BusyOnce(Opening):
    """Cannot be opened while a file is there, which is gone afterwards."""

    flag: str = ""

    async def open(self) -> AsyncLLM:
        if os.path.exists(self.flag):
            os.unlink(self.flag)
            raise BusyError("try again later")
        return await super().open()
