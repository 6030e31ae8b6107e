"""Values of files and users, as messages quote them: short, in one line, nothing to obey."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import log10
from typing import Any

QUOTED = 60
TEXT = 200
NAMED = 3
_LARGE = 1 << 256  # integers past it are counted, not spelled


def quote(value: object, limit: int = QUOTED) -> str:
    """`repr` of a value, cut after about `limit` characters, with control characters escaped.

    Never raises, whatever `repr` does: a value without one is named by its type.
    """
    if isinstance(value, (str, bytes, bytearray)):
        return _quote_text(value, limit)
    if type(value) is int and not -_LARGE < value < _LARGE:
        return f"an integer of about {round(value.bit_length() * log10(2))} digits"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 of anybody's class, or of a list of such integers
        text = f"<{type(value).__name__}>"
    return one_line(text, limit)


def _quote_text(value: str | bytes | bytearray, limit: int) -> str:
    """A text with its quotes; of one that is mostly escapes, fewer characters."""
    cut = value[:limit]
    while len(repr(cut)) > limit * 4 // 3 + 3:
        cut = cut[: len(cut) * 3 // 4]
    return repr(cut) + ("…" if len(cut) < len(value) else "")


def name_some(names: Iterable[str], most: int = NAMED) -> str:
    """The first few of these names, quoted, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(quote, names[:most])) + more


def one_line(text: object, limit: int = TEXT) -> str:
    """A text of another's, such as an error's, in one line: cut, with control characters escaped.

    White space of any kind counts as a single space.
    """
    words = " ".join(str(text)[: 4 * limit].split())
    shown = escape(words[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[:limit]}…"


def escape(value: object, *, keep: str = "") -> str:
    """The value as text, all of it printable, but what is to `keep`; the rest as Python spells it.

    Control characters are not, nor lone surrogates, nor what reorders the text after it.
    """
    text = str(value)
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else repr(char)[1:-1] for char in text
    )


def quote_json(data: Any, **how: Any) -> str:
    """Data as JSON that people can read: in their own script, all of it printable.

    What `escape` escapes is spelled by its code here. `how` are arguments of `json.dumps`.
    """
    text = json.dumps(data, ensure_ascii=False, **how)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _code_of(char) for char in text)


def _code_of(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
