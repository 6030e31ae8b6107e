"""Tells a model's reasoning from its answer: `<think>...</think>` in its text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from foretell.text.marks import overlap

if TYPE_CHECKING:
    from foretell.config import GenerationConfig
    from foretell.text.tokenizer import Tokenizer

BEGIN, END = "<think>", "</think>"

_LAST = 8
"""Tokens at a prompt's end in which a mark may be, and white space behind it."""


def ends_with_mark(mark: str, prompt: Sequence[int], tokenizer: Tokenizer) -> bool:
    """Whether a prompt, which is token ids, ends with this mark, or with white space behind it."""
    end = tokenizer.decode(list(prompt[-_LAST:]), skip_special_tokens=False)
    return end.rstrip().endswith(mark)


def thinks(template: str | None) -> bool:
    """Whether the model of this chat template writes its reasoning between marks."""
    return BEGIN in (template or "")


def may_go_on(config: GenerationConfig) -> bool:
    """Whether a text with these settings goes on with reasoning that its prompt has begun."""
    return config.form is None or bool(config.allow_thinking)


class ReasoningPart(NamedTuple):
    """A part of a text, which is of the reasoning or of the answer."""

    text: str
    is_reasoning: bool


class ReasoningReader:
    """Reads a text, piece by piece, however it is cut.

    A text that begins with the mark begins with reasoning; so does one whose prompt ended with it.
    White space around both is dropped. Reasoning without an end mark goes on to the text's end; a
    mark anywhere else is text.

    Args:
        starts_inside: whether the prompt ended with the mark.
    """

    def __init__(self, *, starts_inside: bool = False) -> None:
        self._rest = ""
        self._is_inside = starts_inside
        self._is_past = False
        self._is_fresh = True  # whether white space would be the first of its part

    def feed(self, text: str) -> list[ReasoningPart]:
        """The parts that are certain now."""
        self._rest += text
        return self._read(is_last=False)

    def finish(self) -> list[ReasoningPart]:
        """What is left at the text's end."""
        return self._read(is_last=True)

    def _read(self, *, is_last: bool) -> list[ReasoningPart]:
        if not self._is_inside and not self._is_past:
            self._find_beginning(is_last)
        parts = []
        if self._is_inside:
            parts += self._read_reasoning(is_last)
        if self._is_past:
            parts += self._part(len(self._rest), is_reasoning=False)
        return parts

    def _find_beginning(self, is_last: bool) -> None:
        text = self._rest.lstrip()
        if text.startswith(BEGIN):
            self._rest = text[len(BEGIN) :]
            self._is_inside = True
        elif is_last or not BEGIN.startswith(text):
            self._is_past, self._is_fresh = True, False

    def _read_reasoning(self, is_last: bool) -> list[ReasoningPart]:
        found = self._rest.find(END)
        if found < 0:
            kept = 0 if is_last else _num_waiting(self._rest)
            return self._part(len(self._rest) - kept, is_reasoning=True)
        said = self._rest[:found].rstrip()
        behind = self._rest[found + len(END) :]
        self._rest = said
        parts = self._part(len(said), is_reasoning=True)
        self._rest, self._is_inside, self._is_past, self._is_fresh = behind, False, True, True
        return parts

    def _part(self, size: int, *, is_reasoning: bool) -> list[ReasoningPart]:
        text, self._rest = self._rest[:size], self._rest[size:]
        if self._is_fresh:
            text = text.lstrip()
        self._is_fresh = self._is_fresh and not text
        return [ReasoningPart(text, is_reasoning)] if text else []


def split(text: str, *, starts_inside: bool) -> tuple[str | None, str]:
    """The reasoning of a whole text, None if there is none, and the rest."""
    reader = ReasoningReader(starts_inside=starts_inside)
    parts = [*reader.feed(text), *reader.finish()]
    thought = "".join(part.text for part in parts if part.is_reasoning)
    return thought or None, "".join(part.text for part in parts if not part.is_reasoning)


def _num_waiting(text: str) -> int:
    """Characters at the end that may be the mark's first, with the white space before them."""
    size = overlap(text, END)
    before = text[: len(text) - size]
    return size + len(before) - len(before.rstrip())
