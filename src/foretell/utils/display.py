"""Tokens and probabilities as people read them, in columns of a terminal."""

from __future__ import annotations

import unicodedata

from foretell.utils.quoting import escape

COLUMNS = 80
"""Terminal columns where nobody knows how many there are."""
LARGEST_FIGURE = 1e5
"""From here on decimals say nothing, and fill a line."""


def show_token(token: str) -> str:
    """A token in quotes, with what would not be seen, or would move the cursor, escaped."""
    quoted = escape(token.replace("\\", "\\\\").replace('"', '\\"'))
    return f'"{quoted}"'


def show_text(text: str) -> str:
    """A generated text as `show_token` has it; "…" stands for a character that it ends within."""
    return show_token(cut_whole(text))


def cut_whole(text: str) -> str:
    """The text; where it ends within a character, "…" in place of that."""
    whole = text.rstrip("\ufffd")
    return whole if whole == text else whole + "…"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number of things: "1 token", "2 tokens"; `many` is a plural that is no s away."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def show_indices(number: int) -> str:
    """Which indices this many things have, at least one: "0 to 4", or "0, there is one alone"."""
    return f"0 to {number - 1}" if number > 1 else "0, there is one alone"


def width_of(text: str) -> int:
    """Terminal columns of a printable text: two for wide characters, none for marks."""
    return sum(_width_of_character(character) for character in text)


def _width_of_character(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def pad(text: str, columns: int) -> str:
    """The text, filled up or cut off to this many columns; "" if these are fewer than one."""
    cut = _cut(text, columns, slice(None, -1))
    return cut + " " * (columns - width_of(cut))


def cut_beginning(text: str, columns: int) -> str:
    """The text, its beginning cut off where it is too wide; "" if there is no column."""
    return _cut(text, columns, slice(1, None))


def _cut(text: str, columns: int, rest: slice) -> str:
    """A text of at most so many columns, with "…" for what `rest` leaves out, again and again."""
    if width_of(text) <= columns:
        return text
    if columns < 1:
        return ""
    while width_of(text) > columns - 1:
        text = text[rest]
    return text + "…" if rest.start is None else "…" + text


def show_figure(number: float) -> str:
    """Three decimals; of a number too large for a table, one, and the power of ten."""
    return f"{number:.3f}" if abs(number) < LARGEST_FIGURE else f"{number:.1e}"


def show_probability(probability: float) -> str:
    """Per cent, or where that would show as nothing, scientific notation."""
    return f"{probability:.2%}" if probability >= 1e-4 else f"{probability:.1e}"
