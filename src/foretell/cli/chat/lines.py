"""What the user types in a chat: messages of one line or several."""

from __future__ import annotations

import contextlib
import importlib
import sys
from dataclasses import dataclass

import click

from foretell.errors import RequestError

FENCE = '"""'


@dataclass(frozen=True)
class Entry:
    """What was typed: a message, or a command without its slash."""

    text: str
    is_command: bool = False


class EntryReader:
    r"""Reads messages and commands from stdin, a terminal or a pipe.

    A line that begins with a slash is a command, with two slashes a message that begins with one.
    A line that ends in a backslash goes on in the next. What stands between two `\"\"\"`, be it
    many lines, is one message.

    Attributes:
        is_terminal: whether somebody types.
    """

    def __init__(self) -> None:
        self.is_terminal = sys.stdin is not None and sys.stdin.isatty()
        if self.is_terminal:
            with contextlib.suppress(ImportError):
                importlib.import_module("readline")  # gives input() a history and editing

    def read(self) -> Entry | None:
        """The next entry; None at the end."""
        line = self._line("> ")
        if line is None:
            return None
        if line.startswith(FENCE):
            return Entry(self.read_block(line.removeprefix(FENCE)))
        text = self._continued(line)
        if text.startswith("/") and not text.startswith("//"):
            return Entry(text[1:], is_command=True)
        return Entry(text[1:] if text.startswith("//") else text)

    def read_block(self, line: str | None = None) -> str:
        """All that comes before a fence or the end, `line` first if it is given."""
        lines = []
        line = self._line("… ") if line is None else line
        while line is not None:
            before, fence, _ = line.partition(FENCE)
            lines.append(before)
            line = None if fence else self._line("… ")
        return "\n".join(lines).strip("\n")

    def _continued(self, line: str) -> str:
        lines = []
        while line.endswith("\\"):
            lines.append(line[:-1])
            more = self._line("… ")
            if more is None:
                return "\n".join(lines)
            line = more
        return "\n".join([*lines, line])

    def _line(self, prompt: str) -> str | None:
        try:
            return self._ask(prompt) if self.is_terminal else self._read_line()
        except EOFError:
            return None
        except UnicodeDecodeError as error:
            raise RequestError(
                f"stdin has byte 0x{error.object[error.start]:02x}: must be UTF-8 text"
            ) from error

    def _ask(self, prompt: str) -> str:
        if sys.stdout is not None and sys.stdout.isatty():
            return input(prompt)  # which alone leaves the prompt to readline
        click.echo(prompt, nl=False, err=True)
        return input()

    def _read_line(self) -> str | None:
        data = sys.stdin.buffer.readline() if sys.stdin is not None else b""
        return data.decode("utf-8").rstrip("\r\n") if data else None
