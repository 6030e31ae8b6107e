"""Which tokens break a sequence for DRY."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

Tails = tuple[tuple[int, ...], ...]
"""Ids that may follow a token, each of which completes a breaker."""


def find_breakers(tokenizer: Tokenizer, texts: Iterable[str]) -> dict[int, Tails]:
    """For each token that begins or holds one of the texts: what must follow it to complete it.

    A token that holds a whole text has an empty continuation: it breaks alone. One that ends in
    the text's beginning has the ids of the text's rest.
    """
    finder = _Finder(tokenizer, texts)
    found: dict[int, Tails] = {}
    for token_id in range(tokenizer.vocab_size):
        if not tokenizer.is_special(token_id):
            tails = finder.tails(tokenizer.token_bytes(token_id))
            if tails:
                found[token_id] = tails
    return found


class _Finder:
    """Finds what completes any of many texts behind a token, at once for all of them.

    The texts are sorted, so that those that begin with the same bytes lie side by side. Tokens
    with the same end share what is found.
    """

    def __init__(self, tokenizer: Tokenizer, texts: Iterable[str]) -> None:
        by_bytes = sorted((text.encode(), text) for text in {*texts})
        self._texts = [data for data, _ in by_bytes]
        self._rests = [_Rests(tokenizer, text) for _, text in by_bytes]
        self._indices = {data: index for index, data in enumerate(self._texts)}
        self._lengths = _lengths_by_first_byte(self._texts)
        first_bytes = b"|".join(re.escape(bytes([byte])) for byte in self._lengths)
        self._first_byte = re.compile(first_bytes or b"(?!)")
        self._found: dict[tuple[bytes, bool, frozenset[int]], Tails] = {}

    def tails(self, piece: bytes) -> Tails:
        """What may follow a token of these bytes; nothing where it begins and holds no text."""
        held: set[int] = set()
        begun: list[bytes] = []  # ends of the token with which texts begin, the longest first
        for match in self._first_byte.finditer(piece):
            end = piece[match.start() :]
            held.update(self._held_at_begin(end))
            if self._begins(end):
                begun.append(end)
        if not held and not begun:
            return ()
        passed_over = frozenset(i for i in held if self._texts[i].startswith(tuple(begun)))
        key = (begun[0] if begun else b"", bool(held), passed_over)  # shorter ends lie in the first
        if key not in self._found:
            tails = {tail for end in begun for tail in self._tails_behind(end, passed_over)}
            self._found[key] = tuple(sorted(tails | ({()} if held else set())))
        return self._found[key]

    def _held_at_begin(self, data: bytes) -> Iterator[int]:
        for length in self._lengths[data[0]]:
            if length > len(data):
                return
            index = self._indices.get(data[:length])
            if index is not None:
                yield index

    def _begins(self, end: bytes) -> bool:
        place = bisect_left(self._texts, end)
        return place < len(self._texts) and self._texts[place].startswith(end)

    def _tails_behind(self, end: bytes, passed_over: frozenset[int]) -> Iterator[tuple[int, ...]]:
        """What completes the texts that begin with these bytes, if they are whole characters."""
        for index in range(bisect_left(self._texts, end), len(self._texts)):
            text = self._texts[index]
            if not text.startswith(end):
                return
            if index not in passed_over and text[len(end)] & 0xC0 != 0x80:
                yield self._rests[index][len(end.decode())]


class _Rests(dict[int, tuple[int, ...]]):
    """Ids of what is left of a text after so many characters, found once each."""

    def __init__(self, tokenizer: Tokenizer, text: str) -> None:
        super().__init__()
        self._tokenizer = tokenizer
        self._text = text

    def __missing__(self, count: int) -> tuple[int, ...]:
        rest = self._text[count:]
        ids = self._tokenizer.encode(rest, add_special_tokens=False, continuation=True)
        self[count] = tuple(ids)
        return self[count]


def _lengths_by_first_byte(texts: Iterable[bytes]) -> dict[int, list[int]]:
    """How long texts are that begin with each byte, ascending."""
    lengths: dict[int, set[int]] = {}
    for text in texts:
        lengths.setdefault(text[0], set()).add(len(text))
    return {byte: sorted(found) for byte, found in lengths.items()}
