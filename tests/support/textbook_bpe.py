"""Byte-level BPE as a textbook has it: slow, plain, and nothing shared with foretell."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import regex

GPT2_CUTS = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def visible_bytes() -> dict[int, str]:
    """GPT-2's alphabet."""
    table: dict[int, str] = {}
    shift = 256
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(shift)
            shift += 1
    return table


def cut(text: str, patterns: Sequence[str]) -> list[str]:
    """The text cut by one pattern after the other; what does not match is a piece too."""
    pieces = [text] if text else []
    for pattern in patterns:
        smaller: list[str] = []
        for piece in pieces:
            end = 0
            for match in regex.finditer(pattern, piece):
                smaller += [piece[end : match.start()], match.group()]
                end = match.end()
            smaller.append(piece[end:])
        pieces = [piece for piece in smaller if piece]
    return pieces


class TextbookBPE:
    """Merges the pair of lowest rank, everywhere, until no pair has a rank."""

    def __init__(self, tokens: list[str], merges: list[str], patterns: Sequence[str]) -> None:
        self.ids = {token: index for index, token in enumerate(tokens)}
        self.ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
        self.patterns = patterns
        self.alphabet = visible_bytes()

    def encode(self, text: str) -> list[int]:
        """Token ids; bytes that no token spells are left out."""
        ids: list[int] = []
        for word in cut(text, self.patterns):
            symbols = [self.alphabet[byte] for byte in word.encode()]
            symbols = [symbol for symbol in symbols if symbol in self.ids]
            ids += [self.ids[symbol] for symbol in self._merge(symbols)]
        return ids

    def _merge(self, symbols: list[str]) -> list[str]:
        while True:
            pairs = set(itertools.pairwise(symbols)) & self.ranks.keys()
            if not pairs:
                return symbols
            left, right = min(pairs, key=self.ranks.__getitem__)
            merged: list[str] = []
            for symbol in symbols:
                if merged and merged[-1] == left and symbol == right:
                    merged[-1] = left + right
                else:
                    merged.append(symbol)
            symbols = merged
