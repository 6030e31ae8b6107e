"""Strings of strangers as a terminal may see them: nothing steers it, nothing is lost."""

from __future__ import annotations

import re
from typing import IO

CONTROLS = "\x00-\x1f\x7f-\x9f"  # C0 and C1: ESC begins sequences that rewrite the screen
LINE_SEPARATORS = "\u2028\u2029"
BIDI_CONTROLS = "\u202a-\u202e\u2066-\u2069"  # they reorder what is shown after them
SURROGATES = "\ud800-\udfff"  # no encoding can print them

STEERING = re.compile(f"[{CONTROLS}{LINE_SEPARATORS}{BIDI_CONTROLS}{SURROGATES}]")
BROKEN = re.compile("[\udc80-\udcff]+")  # bytes, as Python's "surrogateescape" hands them over


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether somebody sees what is written to this stream, or types what is read from it."""
    return stream is not None and stream.isatty()


def printable(text: str, *, keep: str = "") -> str:
    r"""The text with what would steer a terminal, or could not be printed, escaped as Python does.

    Those are control characters, line separators, bidirectional controls and lone surrogates: ESC
    becomes `\x1b`. Letters, marks and emoji of all scripts stay.

    Args:
        text: from a file, a model or a user.
        keep: characters to leave alone: "\n\t" for a text of several lines.
    """
    return STEERING.sub(lambda match: _escape(match[0], keep), text)


def show_bytes(data: bytes) -> str:
    """Bytes read as UTF-8, where those that are no whole character show as `<EA B3>`."""
    text = data.decode(errors="surrogateescape")
    return BROKEN.sub(lambda match: _name_bytes(match[0]), text)


def _escape(character: str, keep: str) -> str:
    return character if character in keep else repr(character)[1:-1]


def _name_bytes(escaped: str) -> str:
    return f"<{escaped.encode(errors='surrogateescape').hex(' ').upper()}>"
