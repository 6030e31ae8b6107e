"""Which tokens break a sequence for DRY."""

from __future__ import annotations

from typing import Any

import pytest

from foretell.text.dry_breakers import find_breakers
from foretell.text.tokenizer import Tokenizer


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
