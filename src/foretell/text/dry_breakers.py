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
    breakers = [(text, text.encode()) for text in texts]
    for token_id in range(tokenizer.vocab_size):
        if tokenizer.is_special(token_id):
            continue
        piece = tokenizer.token_bytes(token_id)
        for text, data in breakers:
            for rest in _rests(piece, text, data):
                ids = tokenizer.encode(rest, add_special_tokens=False, continuation=True)
                found.setdefault(token_id, set()).add(tuple(ids))
    return {token_id: tuple(sorted(tails)) for token_id, tails in found.items()}


def _rests(piece: bytes, text: str, data: bytes) -> list[str]:
    """What is left of the text after a token whose end is the text's beginning."""
    if data in piece:
        return [""]
    rests = []
    for count in range(1, len(text)):
        if piece.endswith(text[:count].encode()):
            rests.append(text[count:])
    return rests
