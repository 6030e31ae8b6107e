"""Which tokens break a sequence for DRY."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.pieces import piece_metadata as pieces
from support.toy import toy_tokenizer

from foretell.text.dry_breakers import find_breakers
from foretell.text.tokenizer import Tokenizer

TOKENIZERS = [toy_tokenizer(), Tokenizer.from_gguf(pieces(), source="pieces")]


def naive(tokenizer: Tokenizer, texts: list[str]) -> dict[int, tuple[tuple[int, ...], ...]]:
    """Each text beside each token."""
    found: dict[int, set[tuple[int, ...]]] = {}
    for token_id in range(tokenizer.vocab_size):
        piece = tokenizer.token_bytes(token_id)
        for text in () if tokenizer.is_special(token_id) else texts:
            counts = range(1, len(text))
            ends = [count for count in counts if piece.endswith(text[:count].encode())]
            for count in [len(text)] if text.encode() in piece else ends:
                rest = text[count:]
                ids = tokenizer.encode(rest, add_special_tokens=False, continuation=True)
                found.setdefault(token_id, set()).add(tuple(ids))
    return {token_id: tuple(sorted(tails)) for token_id, tails in found.items()}


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@given(st.lists(st.text(" catheél가<b>", min_size=1, max_size=5), max_size=12))
@example([])
@example(["a", "at", "cat", "ca", "atx", "t", "the", "he"])
@example(["é", "è", "éa", "가", "각", "가나"])
def test_many_texts_are_found_as_each_is(tokenizer: Tokenizer, texts: list[str]) -> None:
    assert find_breakers(tokenizer, texts) == naive(tokenizer, texts)


def test_tokens_are_looked_at_once_for_all_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many texts as a request may have, over a vocabulary of the usual size."""
    tokenizer = toy_tokenizer()
    texts = [f"{index:x}" for index in range(1024)]
    monkeypatch.setattr(tokenizer, "vocab_size", 100_000)
    monkeypatch.setattr(tokenizer, "is_special", lambda token_id: False)
    monkeypatch.setattr(tokenizer, "token_bytes", lambda token_id: b"%x word" % token_id)
    found = find_breakers(tokenizer, texts)
    assert len(found) == 100_000
    assert len({id(tails) for tails in found.values()}) < 1000


def test_the_rest_of_a_breaker_has_no_space_before_it(piece_metadata: dict[str, Any]) -> None:
    tokenizer = Tokenizer.from_gguf(piece_metadata, source="pieces")
    id_of = {token: i for i, token in enumerate(piece_metadata["tokenizer.ggml.tokens"])}
    alone, completed = ((),), ((id_of["ll"],),)
    assert find_breakers(tokenizer, ["hell"]) == {
        id_of["h"]: ((*(id_of[char] for char in "e"), id_of["ll"]),),
        id_of["he"]: completed,
        id_of["▁he"]: completed,
        id_of["<0x68>"]: ((id_of["e"], id_of["ll"]),),
    }
    assert find_breakers(tokenizer, ["l"]) == {
        id_of[name]: alone for name in ("l", "ll", "<0x6C>", "<table>")
    }


def test_a_long_breaker_is_spelled_once_for_each_of_its_beginnings(
    piece_metadata: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = Tokenizer.from_gguf(piece_metadata, source="pieces")
    spelled: list[str] = []
    encode = tokenizer.encode

    def count(text: str, **settings: Any) -> list[int]:
        spelled.append(text)
        return encode(text, **settings)

    monkeypatch.setattr(tokenizer, "encode", count)
    found = find_breakers(tokenizer, ["hell" * 1000])
    assert len(found) == 4
    assert sorted(map(len, spelled)) == [3998, 3999]  # after "he", and after "h"
