"""An answer, taken apart: what was thought, what is said, what is called."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from foretell.text.reasoning import ThoughtPart, ThoughtReader
from foretell.text.tools.reader import CallPart, CallReader, TextPart
from foretell.text.tools.use import ToolUse

ID_LENGTH = 9
"""Characters of a call's id: what Mistral's templates insist on."""

_CHARACTERS = string.ascii_lowercase + string.digits

Part = ThoughtPart | TextPart | CallPart
"""A `ThoughtPart` here is of thoughts always."""


class AnswerReader:
    """Reads an answer piece by piece, however it is cut.

    Args:
        use: what it may call; None: nothing.
        tells_thoughts: whether `<think>` tells thoughts apart.
        starts_inside: whether the prompt ended with that mark.
    """

    def __init__(
        self, use: ToolUse | None, *, tells_thoughts: bool = False, starts_inside: bool = False
    ) -> None:
        self._calls = None if use is None else CallReader(use.syntax, use.names)
        self._thoughts = ThoughtReader(starts_inside=starts_inside) if tells_thoughts else None

    def feed(self, text: str) -> list[Part]:
        """The parts that are certain now."""
        return self._called(self._thought(text))

    def finish(self) -> list[Part]:
        """What is left at the answer's end."""
        rest = [] if self._thoughts is None else self._thoughts.finish()
        return [*self._called(rest), *([] if self._calls is None else self._calls.finish())]

    def _thought(self, text: str) -> list[ThoughtPart]:
        if self._thoughts is None:
            return [ThoughtPart(text, is_thought=False)] if text else []
        return self._thoughts.feed(text)

    def _called(self, parts: Iterable[ThoughtPart]) -> list[Part]:
        found: list[Part] = []
        for part in parts:
            if part.is_thought:
                found.append(part)
            elif self._calls is None:
                found.append(TextPart(part.text))
            else:
                found += self._calls.feed(part.text)
        return found


class Call(NamedTuple):
    """A call of a tool: its id, the tool's name, and the arguments as JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    Attributes:
        thoughts: what was thought before; None where nothing was.
        text: what is said.
        calls: of tools.
    """

    thoughts: str | None
    text: str
    calls: tuple[Call, ...]


def join_parts(parts: Iterable[Part], key: str) -> Answer:
    """The answer that these parts are; the ids of its calls depend on `key` and their numbers."""
    thoughts, said = "", ""
    calls: list[tuple[str, list[str]]] = []
    for part in parts:
        if isinstance(part, ThoughtPart):
            thoughts += part.text
        elif isinstance(part, TextPart):
            said += part.text
        elif part.name is not None:
            calls.append((part.name, [part.arguments]))
        else:
            calls[part.call][1].append(part.arguments)
    found = (
        Call(call_id(key, number), name, "".join(arguments))
        for number, (name, arguments) in enumerate(calls)
    )
    return Answer(thoughts or None, said, tuple(found))


def call_id(key: str, number: int) -> str:
    """An id for a call: letters and digits that look random, and are those of the key."""
    digest = int.from_bytes(hashlib.sha256(f"{key}\0{number}".encode()).digest(), "big")
    found = ""
    for _ in range(ID_LENGTH):
        digest, digit = divmod(digest, len(_CHARACTERS))
        found += _CHARACTERS[digit]
    return found
