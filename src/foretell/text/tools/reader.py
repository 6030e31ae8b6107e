"""Tells text from calls, as an answer is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from foretell.text.marks import overlap
from foretell.text.tools.scanner import CallScanner
from foretell.text.tools.syntaxes import CallSyntax


class TextPart(NamedTuple):
    """A part of what is said."""

    text: str


class CallPart(NamedTuple):
    """A part of the call with this number: the first has its name, all more of its arguments."""

    call: int
    name: str | None
    arguments: str


Part = TextPart | CallPart

_Step = Callable[[bool], Iterator[Part]]
"""Reads on in one state; is told whether nothing more will come."""


class CallReader:
    """Reads an answer, piece by piece, however it is cut.

    What only looks like a call is text: an object without a name, or with the name of no tool.
    White space around calls is dropped.

    Args:
        syntax: how the model writes calls.
        names: of the tools.
    """

    def __init__(self, syntax: CallSyntax, names: Collection[str]) -> None:
        self._syntax = syntax
        self._names = names
        self._scanner = CallScanner()
        self._step: _Step = self._read_text
        self._rest = ""  # what is not read yet
        self._raw = ""  # what was read of something that may be a call, or may be text
        self._is_told = False  # whether that is certainly a call, and its name was told
        self._is_fresh = True  # whether nothing was said yet, or nothing since the last call
        self.num_calls = 0

    def feed(self, text: str) -> list[Part]:
        """The parts that are certain now."""
        self._rest += text
        return [*self._read(is_last=False)]

    def finish(self) -> list[Part]:
        """What is left at the answer's end."""
        return [*self._read(is_last=True), *self._give_up(self._rest)]

    def _read(self, *, is_last: bool) -> Iterator[Part]:
        while self._rest:
            before = self._step, len(self._rest)
            yield from self._step(is_last)
            if (self._step, len(self._rest)) == before:
                return

    def _read_text(self, is_last: bool) -> Iterator[Part]:
        """Text up to where a call begins; what may be the beginning of one has to wait."""
        if self._is_fresh and self.num_calls:
            self._rest = self._rest.lstrip()
        found = self._find_mark()
        if found is not None:
            start, end = found
            said = self._rest[:start].rstrip()
            self._raw, self._rest = self._rest[len(said) : end], self._rest[end:]
            self._step = self._read_opening
            yield from self._say(said)
        elif is_last:
            said, self._rest = self._rest, ""
            yield from self._say(said)
        else:
            said = self._rest[: len(self._rest) - self._num_waiting()].rstrip()
            self._rest = self._rest[len(said) :]
            yield from self._say(said)

    def _read_opening(self, is_last: bool) -> Iterator[Part]:
        """What stands between a call's mark and its object."""
        rest = self._rest.lstrip()
        if self._syntax.is_list and rest.startswith("[") and not self._raw.endswith("["):
            rest = rest[1:].lstrip()
        self._pass(len(self._rest) - len(rest))
        if rest.startswith("{"):
            self._scanner, self._is_told = CallScanner(), False
            self._step = self._read_call
        elif rest:
            yield from self._give_up()

    def _read_call(self, is_last: bool) -> Iterator[Part]:
        scanner = self._scanner
        self._pass(scanner.feed(self._rest))
        if not self._is_told and scanner.name in self._names:
            self._is_told = True
            yield CallPart(self.num_calls, scanner.name, "")
        if self._is_told and (arguments := scanner.take_arguments()):
            yield CallPart(self.num_calls, None, arguments)
        is_over = scanner.is_complete or scanner.is_broken
        if not self._is_told and (is_over or scanner.name is not None):
            yield from self._give_up()
        elif is_over:
            self.num_calls += 1
            self._raw, self._is_fresh = "", True
            self._step = self._read_end

    def _read_end(self, is_last: bool) -> Iterator[Part]:
        """What stands between one call and the next, or the text behind."""
        rest, end = self._rest.lstrip(), self._syntax.end
        if not rest or (not is_last and rest != end and end.startswith(rest)):
            self._rest = rest
            return
        self._step = self._read_text
        if end and rest.startswith(end):
            rest = rest[len(end) :]
        elif rest[0] in ",;" or (rest[0] == "{" and not self._syntax.begin):
            rest = rest[1:] if rest[0] in ",;" else rest
            self._step = self._read_opening
        elif self._syntax.is_list:
            rest = rest.removeprefix("]")
        self._rest = rest
        yield from ()

    def _find_mark(self) -> tuple[int, int] | None:
        """Where the mark of a call begins and ends; None where there is none yet."""
        begin = self._syntax.begin
        if begin:
            start = self._rest.find(begin)
            return None if start < 0 else (start, start + len(begin))
        rest = self._rest.lstrip()
        start = len(self._rest) - len(rest)
        if not self._is_fresh or self.num_calls:
            return None
        for mark in ("", *self._syntax.opens):
            if rest.startswith(mark) and rest[len(mark) :].lstrip().startswith("{"):
                return start, start + len(mark)
        return None

    def _num_waiting(self) -> int:
        """How many characters at the end may be the beginning of a mark."""
        if self._syntax.begin:
            return overlap(self._rest, self._syntax.begin)
        rest = self._rest.strip()
        may_begin = self._is_fresh and any(mark.startswith(rest) for mark in self._syntax.opens)
        return len(self._rest) if may_begin else 0

    def _pass(self, count: int) -> None:
        self._raw += self._rest[:count]
        self._rest = self._rest[count:]

    def _give_up(self, more: str = "") -> Iterator[Part]:
        """What was read was no call: it is text, unless its name was told."""
        said = "" if self._is_told else self._raw + more
        self._raw, self._is_told = "", False
        self._step = self._read_text
        yield from self._say(said)

    def _say(self, text: str) -> Iterator[Part]:
        if text:
            self._is_fresh = False
            yield TextPart(text)
