"""Which tokens break a sequence for DRY."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


def find_breakers(
    tokenizer: Tokenizer, texts: Iterable[str]
) -> dict[int, tuple[tuple[int, ...], ...]]:
    """For each token that begins or holds one of the texts: what must follow it to complete it.

    A token that holds a whole text has an empty continuation: it breaks alone. One that ends in
    the text's beginning has the ids of the text's rest.
    """
    found: dict[int, set[tuple[int, ...]]] = {}
    breakers = [(text, text.encode(), _Rests(tokenizer, text)) for text in texts]
    for token_id in range(tokenizer.vocab_size):
        if tokenizer.is_special(token_id):
            continue
        piece = tokenizer.token_bytes(token_id)
        for text, data, rests in breakers:
            for count in _overlaps(piece, text, data):
                found.setdefault(token_id, set()).add(rests[count])
    return {token_id: tuple(sorted(tails)) for token_id, tails in found.items()}


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


def _overlaps(piece: bytes, text: str, data: bytes) -> list[int]:
    """How many of the text's first characters the token ends with: all of them if it holds it."""
    if data in piece:
        return [len(text)]
    longest = min(len(text) - 1, len(piece))
    return [count for count in range(1, longest + 1) if piece.endswith(text[:count].encode())]
