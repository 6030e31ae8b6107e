"""An answer, taken apart: its reasoning, its text, its calls of tools."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from foretell.text.reasoning import ReasoningPart, ReasoningReader
from foretell.text.tools.reader import CallPart, CallReader, TextPart
from foretell.text.tools.use import ToolUse

ID_LENGTH = 9
"""Characters of a call's id: what Mistral's templates insist on."""

_CHARACTERS = string.ascii_lowercase + string.digits

Part = ReasoningPart | TextPart | CallPart
"""A `ReasoningPart` here is always of reasoning, and never of text."""


class AnswerReader:
    """Reads an answer piece by piece, however it is cut.

    Args:
        use: what it may call; None: nothing.
        splits_reasoning: whether `<think>` tells reasoning apart.
        starts_inside: whether the prompt ended with that mark, so that it begins with reasoning.
    """

    def __init__(
        self, use: ToolUse | None, *, splits_reasoning: bool = False, starts_inside: bool = False
    ) -> None:
        self._calls = None if use is None else CallReader(use.syntax, use.names)
        self._reasoning = ReasoningReader(starts_inside=starts_inside) if splits_reasoning else None

    def feed(self, text: str) -> list[Part]:
        """The parts that are certain now."""
        return self._split_calls(self._split_reasoning(text))

    def finish(self) -> list[Part]:
        """What is left at the answer's end."""
        rest = [] if self._reasoning is None else self._reasoning.finish()
        return [*self._split_calls(rest), *([] if self._calls is None else self._calls.finish())]

    def _split_reasoning(self, text: str) -> list[ReasoningPart]:
        if self._reasoning is None:
            return [ReasoningPart(text, is_reasoning=False)] if text else []
        return self._reasoning.feed(text)

    def _split_calls(self, parts: Iterable[ReasoningPart]) -> list[Part]:
        found: list[Part] = []
        for part in parts:
            if part.is_reasoning:
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
        reasoning: what was thought before; None where nothing was.
        text: what is said to the user.
        calls: of tools.
    """

    reasoning: str | None
    text: str
    calls: tuple[Call, ...]


def join_parts(parts: Iterable[Part], key: str) -> Answer:
    """The answer that these parts are; the ids of its calls depend on `key` and their numbers."""
    reasoning, said = "", ""
    calls: list[tuple[str, list[str]]] = []
    for part in parts:
        if isinstance(part, ReasoningPart):
            reasoning += part.text
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
    return Answer(reasoning or None, said, tuple(found))


def call_id(key: str, number: int) -> str:
    """An id for a call: letters and digits that look random, and are those of the key."""
    digest = int.from_bytes(hashlib.sha256(f"{key}\0{number}".encode()).digest(), "big")
    found = ""
    for _ in range(ID_LENGTH):
        digest, digit = divmod(digest, len(_CHARACTERS))
        found += _CHARACTERS[digit]
    return found
