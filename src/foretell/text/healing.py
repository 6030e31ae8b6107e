"""Token healing: the end of a prompt is taken back, and written again as the model would cut it.

A text that ends in the middle of what a tokenizer has as one token (`http:`, of `http://`) ends in
tokens that the model has hardly seen there. So its last tokens are taken back, and what is
generated must begin with their bytes: with tokens that are a part of these, and in the end with one
that may go beyond. (microsoft/guidance; `token_healing` of transformers, which favours such tokens
where here they are certain.)
"""

from __future__ import annotations

import codecs
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from foretell.text.detokenizer import unfinished_character

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

MAX_TAKEN = 8
"""Tokens that are taken back at most."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """What a generated text must begin with, byte by byte.

    Attributes:
        num_taken: tokens of the prompt that were taken back.
        text: their bytes.
        healer: knows the tokens.
    """

    num_taken: int
    text: bytes
    healer: Healer

    @property
    def most_tokens(self) -> int:
        """After so many tokens it is written, whichever they are."""
        return len(self.text)

    @cached_property
    def num_characters(self) -> int:
        """Whole characters of it: these are the prompt's, and no part of what is new."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        return len(decoder.decode(self.text))

    def allowed(self, written: Sequence[int]) -> Sequence[int] | None:
        """The ids that may follow what was generated so far; None: it is written, and any may."""
        length = sum(len(self.healer.token_bytes(one)) for one in written)
        return None if length >= len(self.text) else self.healer.beginnings(self.text[length:])


class Healer:
    """Knows which tokens begin alike.

    Args:
        tokenizer: the model's.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.token_bytes = tokenizer.token_bytes
        self._known: dict[bytes, list[int]] = {}

    def heal(self, token_ids: Sequence[int]) -> Beginning | None:
        """What to take back of a prompt; None where no token goes on beyond its end.

        As many tokens as are together the beginning of a longer token, none of them a control
        token; the first one stays in any case.
        """
        taken, found = b"", None
        for count in range(1, min(MAX_TAKEN, len(token_ids) - 1) + 1):
            token_id = token_ids[-count]
            if self._tokenizer.is_special(token_id):
                break
            taken = self.token_bytes(token_id) + taken
            splits_character = unfinished_character(self._tokenizer, token_ids[:-count])
            if taken and self._goes_on(taken) and not splits_character:
                found = Beginning(count, taken, self)
        return found

    def beginnings(self, text: bytes) -> list[int]:
        """The tokens that begin with the text, and those that the text begins with."""
        if text not in self._known:
            start, stop = self._span(text)
            parts = [text[:length] for length in range(1, len(text))]
            shorter = [one for part in parts for one in self._ids_of.get(part, ())]
            self._known[text] = shorter + [token_id for _, token_id in self._sorted[start:stop]]
        return self._known[text]

    def _goes_on(self, text: bytes) -> bool:
        """Whether there is a token that begins with the text and is longer."""
        start, stop = self._span(text)
        return any(len(found) > len(text) for found, _ in self._sorted[start:stop])

    def _span(self, text: bytes) -> tuple[int, int]:
        """Where the tokens that begin with the text lie among all in order."""
        start = bisect_left(self._sorted, (text, -1))
        beyond = text.rstrip(b"\xff")
        if not beyond:
            return start, len(self._sorted)
        after = beyond[:-1] + bytes([beyond[-1] + 1])
        return start, bisect_left(self._sorted, (after, -1))

    @cached_property
    def _sorted(self) -> list[tuple[bytes, int]]:
        """All tokens that are text, by their bytes."""
        ids = range(self._tokenizer.vocab_size)
        pairs = [(self.token_bytes(one), one) for one in ids if not self._tokenizer.is_special(one)]
        return sorted(pair for pair in pairs if pair[0])

    @cached_property
    def _ids_of(self) -> dict[bytes, list[int]]:
        found: dict[bytes, list[int]] = {}
        for text, token_id in self._sorted:
            found.setdefault(text, []).append(token_id)
        return found
