"""One chat: the conversation, and how an answer is printed as it comes."""

from __future__ import annotations

import signal
from contextlib import closing
from types import TracebackType
from typing import TYPE_CHECKING

import click

from foretell.cli.chat.lines import EntryReader
from foretell.cli.render import statistics_line
from foretell.config import GenerationConfig

if TYPE_CHECKING:
    from foretell.conversation import Conversation
    from foretell.outputs import GenerationOutput


def note(text: str) -> None:
    """Show on stderr what is no answer."""
    click.secho(text, err=True, dim=True)


class Session:
    """One chat, from the first message to the last.

    Attributes:
        conversation: what has been said.
        reader: where messages come from.
        is_over: whether the user has left.
    """

    def __init__(self, conversation: Conversation, reader: EntryReader, *, is_quiet: bool) -> None:
        self.conversation = conversation
        self.reader = reader
        self.is_over = False
        self._is_quiet = is_quiet

    @property
    def config(self) -> GenerationConfig:
        """The settings of the next answer."""
        return self.conversation.config or GenerationConfig()

    @config.setter
    def config(self, config: GenerationConfig) -> None:
        self.conversation.config = config

    def answer(self, text: str) -> None:
        """Print the answer as it comes, if anything was asked; Ctrl-C at a terminal ends it."""
        if not text.strip():
            return
        with Interrupts(self.reader.is_terminal) as interrupts:
            output = self._print(text, interrupts)
        if interrupts.came:
            note("(stopped)")
        elif output is not None and not self._is_quiet:
            note(statistics_line([output]))

    def _print(self, text: str, interrupts: Interrupts) -> GenerationOutput | None:
        """Print the answer, then a newline if it has none; None if it was not finished."""
        output, last = None, ""
        with closing(self.conversation.say(text)) as chunks:
            try:
                for chunk in chunks:
                    click.echo(chunk.text, nl=False)
                    last, output = chunk.text or last, chunk.output
                    if interrupts.came:
                        break
            finally:
                if not last.endswith("\n"):
                    click.echo()
        return output


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
