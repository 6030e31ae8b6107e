"""The names of a tokenizer's tokens, made ready to be looked for in many short texts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

_START = 2  # characters that many names have in common
_MAX_SOURCES = 8


class Names:
    """Some names, and where they, or parts of them, are in a text."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_start: defaultdict[str, list[str]] = defaultdict(list)
        self._beginnings: set[str] = set()
        self._ends: set[str] = set()
        self._longest = 0
        for name in names:
            self._by_start[name[:_START]].append(name)
            self._beginnings |= {name[:count] for count in range(1, len(name))}
            self._ends |= {name[-count:] for count in range(1, len(name))}
            self._longest = max(self._longest, len(name))

    def starts_in(self, text: str) -> list[int]:
        """Where a name begins in the text, even inside another."""
        present = [re.escape(name) for name in self._present_in(text)]
        if not present:
            return []
        return [match.start() for match in re.finditer(f"(?={'|'.join(present)})", text)]

    def last_of_each_in(self, text: str) -> list[int]:
        """Where each name that a tokenizer finds in the text has its last character."""
        present = sorted(self._present_in(text), key=len, reverse=True)
        if not present:
            return []
        return [match.end() - 1 for match in re.finditer("|".join(map(re.escape, present)), text)]

    def edges_of(self, text: str) -> set[int]:
        """Where a name may begin that what follows the text completes, or end that came before.

        Templates trim: white space at either end may fall away.
        """
        found = set()
        begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
        for count in range(1, self._longest):
            for stop in {end, len(text)}:
                if stop >= count and text[stop - count : stop] in self._beginnings:
                    found.add(stop - count)
            for start in {0, begin}:
                if text[start : start + count] in self._ends:
                    found.add(start)
        return found

    def _present_in(self, text: str) -> list[str]:
        return [
            name
            for start, names in self._by_start.items()
            if start in text
            for name in names
            if name in text
        ]


class TokenNames:
    """A tokenizer's names, by what they may do in a prompt."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.control = Names(tokenizer.control_names)
        self._user_defined = [name for name in tokenizer.user_defined_names if not name.isspace()]
        self._by_source: dict[str, tuple[Names, Names]] = {}

    def user_defined(self, source: str) -> tuple[Names, Names]:
        """The user-defined tokens that a template mentions, and the others."""
        if source not in self._by_source:
            mentioned = {name for name in self._user_defined if name in source}
            others = (name for name in self._user_defined if name not in mentioned)
            if len(self._by_source) >= _MAX_SOURCES:
                self._by_source = {}
            self._by_source[source] = Names(mentioned), Names(others)
        return self._by_source[source]


_KNOWN: WeakKeyDictionary[Tokenizer, TokenNames] = WeakKeyDictionary()


def names_of(tokenizer: Tokenizer) -> TokenNames:
    """The names of a tokenizer, made ready once."""
    known = _KNOWN.get(tokenizer)
    if known is None:
        known = _KNOWN[tokenizer] = TokenNames(tokenizer)
    return known
