"""One chat: the conversation, and how an answer is printed as it comes."""

from __future__ import annotations

import signal
import sys
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import click

from foretell.cli.chat.lines import EntryReader
from foretell.cli.chat.wrapping import WordWrapper
from foretell.cli.render import answer_line, terminal_columns
from foretell.config import GenerationConfig
from foretell.errors import RequestError
from foretell.utils.terminal import is_terminal, printable

if TYPE_CHECKING:
    from foretell.conversation import Conversation
    from foretell.outputs import GenerationOutput

STOPPED = "(stopped, and not kept: /keep keeps it, /retry answers anew)"


def note(text: str) -> None:
    """Show on stderr what is no answer, broken between words where it is too long."""
    shown = printable(text, keep="\n")
    if is_terminal(sys.stderr):
        wrapper = WordWrapper(terminal_columns())
        shown = wrapper.push(shown) + wrapper.finish()
    click.secho(shown, err=True, dim=True)


@dataclass(frozen=True)
class StoppedAnswer:
    """An answer that Ctrl-C broke off.

    Attributes:
        question: what was asked.
        messages: the conversation with what was shown of the answer; None if nothing was.
    """

    question: str
    messages: list[dict[str, str]] | None


class Session:
    """One chat, from the first message to the last.

    Attributes:
        conversation: what has been said.
        reader: where messages come from.
        is_over: whether the user has left.
        stopped: the last answer, if it was broken off; it is no part of the conversation.
    """

    def __init__(self, conversation: Conversation, reader: EntryReader, *, is_quiet: bool) -> None:
        self.conversation = conversation
        self.reader = reader
        self.is_over = False
        self.stopped: StoppedAnswer | None = None
        self._is_quiet = is_quiet

    @property
    def config(self) -> GenerationConfig:
        """The settings of the next answer."""
        return self.conversation.config or GenerationConfig()

    @config.setter
    def config(self, config: GenerationConfig) -> None:
        self.conversation.config = config

    def answer(self, text: str) -> None:
        """Print the answer as it comes, if anything was asked; Ctrl-C at a terminal ends it.

        An answer that was broken off is no part of the conversation, unless `keep` says so.
        """
        if not text.strip():
            return
        self.stopped = None
        before = self.conversation.messages
        with Interrupts(self.reader.is_terminal) as interrupts:
            output = self._print(text, interrupts)
        if interrupts.came:
            said = self.conversation.messages
            self.stopped = StoppedAnswer(text, None if said is before else said)
            self.conversation.messages = before
            note(STOPPED)
        elif output is not None and not self._is_quiet:
            note(answer_line(output))

    def keep(self) -> None:
        """Make the answer that was broken off part of the conversation; RequestError if none."""
        if self.stopped is None or self.stopped.messages is None:
            raise RequestError("there is no stopped answer to keep")
        self.conversation.messages = self.stopped.messages
        self.stopped = None

    def _print(self, text: str, interrupts: Interrupts) -> GenerationOutput | None:
        """Print the answer, then a newline if it has none; None if it was not finished."""
        output = None
        printer = AnswerPrinter()
        with closing(self.conversation.say(text)) as chunks:
            try:
                for chunk in chunks:
                    printer.show(chunk.text)
                    output = chunk.output
                    if interrupts.came:
                        break
            finally:
                printer.end()
        return output


class AnswerPrinter:
    """Prints an answer piece by piece: exactly to a file or pipe, fit to read on a terminal."""

    def __init__(self) -> None:
        self._wrapper = WordWrapper(terminal_columns()) if is_terminal(sys.stdout) else None
        self._last = ""

    def show(self, text: str) -> None:
        """Print the next piece, or what is certain of it."""
        if self._wrapper is not None:
            text = self._wrapper.push(printable(text, keep="\n\t"))
        self._echo(text)

    def end(self) -> None:
        """Print what is left, and a newline if there is none."""
        if self._wrapper is not None:
            self._echo(self._wrapper.finish())
        if not self._last.endswith("\n"):
            click.echo()

    def _echo(self, text: str) -> None:
        if text:
            click.echo(text, nl=False)
            self._last = text


class Interrupts:
    """Within it, a first Ctrl-C is noted, and a second one ends the wait.

    So it never strikes in the middle of a step. If not `is_caught`, nothing is changed.

    Attributes:
        came: whether there was one.
    """

    def __init__(self, is_caught: bool) -> None:
        self.came = False
        self._is_caught = is_caught

    def __enter__(self) -> Interrupts:
        if self._is_caught:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not self._is_caught:
            return False
        signal.signal(signal.SIGINT, self._before)
        if kind is None or not issubclass(kind, KeyboardInterrupt):
            return False
        self.came = True
        return True

    def _note(self, number: int, frame: object) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
