"""What the user types in a chat: messages of one line or several."""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import click

from foretell.cli.options import BYTE_ORDER_MARK, MAX_INPUT_BYTES
from foretell.errors import RequestError
from foretell.utils.terminal import is_terminal

FENCE = '"""'
LEAVING = ("exit", "quit", "bye")
"""Said alone, these leave, as in other programs."""

PASTE_SECONDS = 0.03  # a line that is there within them was pasted with the one before


@dataclass(frozen=True)
class Entry:
    """What was typed: a message, or a command without its slash."""

    text: str
    is_command: bool = False


class EntryReader:
    r"""Reads messages and commands from stdin, a terminal or a pipe.

    A line that begins with a slash is a command, with two slashes a message that begins with one.
    A line that ends in a backslash goes on in the next. What stands between two `\"\"\"`, be it
    many lines, is one message; so are lines that are pasted together at a terminal. What was typed
    ahead, while nobody asked for it, is taken line by line.

    Attributes:
        is_terminal: whether somebody types.
    """

    def __init__(self) -> None:
        self.is_terminal = is_terminal(sys.stdin)
        self._is_first = True
        if self.is_terminal:
            _prepare_editing()

    def read(self) -> Entry | None:
        """The next entry; None at the end."""
        line = self._line("> ")
        if line is None:
            return None
        if line.startswith(FENCE):
            return Entry(self.read_block(line.removeprefix(FENCE)))
        if "\n" in line:
            return Entry(line.strip("\n"))
        text = self._continued(line)
        if text.strip() in LEAVING:
            return Entry("quit", is_command=True)
        if _is_command(text):
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
        """The next line, or lines that were pasted; None at the end."""
        try:
            return self._ask(prompt) if self.is_terminal else self._read_line()
        except EOFError:
            return None
        except UnicodeDecodeError as error:
            raise RequestError(
                f"stdin has byte 0x{error.object[error.start]:02x}: must be UTF-8 text"
            ) from error

    def _ask(self, prompt: str) -> str:
        is_typed_ahead = _is_waiting(0.0)
        if is_terminal(sys.stdout):
            line = input(prompt)  # which alone leaves the prompt to readline
        else:
            click.echo(prompt, nl=False, err=True)
            line = input()
        if is_typed_ahead or _is_command(line):
            return line
        return "\n".join([line, *_lines_waiting()])

    def _read_line(self) -> str | None:
        data = b""
        if sys.stdin is not None:
            data = sys.stdin.buffer.readline(MAX_INPUT_BYTES + 1)
        if len(data) > MAX_INPUT_BYTES:
            raise RequestError(f"stdin has a line of more than {MAX_INPUT_BYTES} bytes")
        if not data:
            return None
        text = data.decode("utf-8").rstrip("\r\n")
        is_first, self._is_first = self._is_first, False
        return text.removeprefix(BYTE_ORDER_MARK) if is_first else text


def _is_command(line: str) -> bool:
    return line.startswith("/") and not line.startswith("//")


def _prepare_editing() -> None:
    """Give `input()` a history and editing, and let it take a pasted block as a whole."""
    with contextlib.suppress(ImportError):
        readline = importlib.import_module("readline")
        is_dumb = os.environ.get("TERM", "dumb") == "dumb"  # it would show the sequences
        if "libedit" not in (readline.__doc__ or "") and not is_dumb:
            readline.parse_and_bind("set enable-bracketed-paste on")


def _lines_waiting() -> Iterator[str]:
    """Lines that are there already: they were pasted, by a terminal that does not say so."""
    with contextlib.suppress(EOFError):
        while _is_waiting(PASTE_SECONDS):
            yield input()


def _is_waiting(seconds: float) -> bool:
    """Whether a line is there, or comes within this time."""
    try:
        return bool(select.select([sys.stdin], [], [], seconds)[0])
    except (OSError, ValueError):  # no such thing as waiting: no descriptor, or Windows
        return False
