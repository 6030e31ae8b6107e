"""Streamed pieces, joined, are the whole text; no piece ever splits a character."""

from __future__ import annotations

import codecs
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.text_corpus import corpus

from foretell.text.detokenizer import Detokenizer, unfinished_character
from foretell.text.tokenizer import Tokenizer

SETTINGS = st.fixed_dictionaries(
    {"skip_special_tokens": st.booleans(), "continuation": st.booleans()}
)
shared = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["byte_metadata", "piece_metadata"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return Tokenizer.from_gguf(request.getfixturevalue(request.param), source="tiny")


def stream(tokenizer: Tokenizer, ids: list[int], **flags: Any) -> list[str]:
    detokenizer = Detokenizer(tokenizer, **flags)
    return [*map(detokenizer.push, ids), detokenizer.finish()]


def whole(tokenizer: Tokenizer, ids: list[int], skip: bool, continuation: bool) -> str:
    """The text by its definition: the tokens' bytes joined, read as UTF-8 at once."""
    shown = [i for i in ids if not (skip and tokenizer.is_special(i))]
    data = b"".join(map(tokenizer.token_bytes, shown))
    if tokenizer.adds_space_prefix and not continuation:
        names = [b"" if not tokenizer.is_special(i) else tokenizer.token_bytes(i) for i in shown]
        first = next((at for at, name in enumerate(names) if not name), len(names))
        head = b"".join(names[:first])
        data = head + data[len(head) :].removeprefix(b" ") if first < len(names) else data
    return data.decode(errors="replace")


@shared
@given(st.data(), SETTINGS)
def test_random_ids(tokenizer: Tokenizer, data: st.DataObject, flags: dict[str, bool]) -> None:
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=40))
    text = whole(tokenizer, ids, flags["skip_special_tokens"], flags["continuation"])
    assert "".join(stream(tokenizer, ids, **flags)) == tokenizer.decode(ids, **flags) == text


def byte_ids(tokenizer: Tokenizer, data: bytes) -> list[int]:
    offset = 3 if tokenizer.adds_space_prefix else 0  # the two vocabularies of conftest.py
    return [offset + byte for byte in data]


@shared
@given(st.binary(max_size=60))
def test_random_bytes(tokenizer: Tokenizer, data: bytes) -> None:
    pieces = stream(tokenizer, byte_ids(tokenizer, data), continuation=True)
    assert "".join(pieces) == data.decode(errors="replace")


@shared
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_each_character_comes_whole_with_its_last_byte(tokenizer: Tokenizer, text: str) -> None:
    detokenizer = Detokenizer(tokenizer, continuation=True)
    for char in text:
        *first, last = byte_ids(tokenizer, char.encode())
        assert [detokenizer.push(token_id) for token_id in first] == [""] * len(first)
        assert detokenizer.push(last) == char
    assert detokenizer.finish() == ""


def test_streams_real_text_as_decode_reads_it(default_tokenizer: Tokenizer) -> None:
    for text in corpus():
        ids = default_tokenizer.encode(text)
        assert "".join(stream(default_tokenizer, ids)) == default_tokenizer.decode(ids)


def test_a_special_token_does_not_break_a_character(tokenizer: Tokenizer) -> None:
    special = next(i for i in range(tokenizer.vocab_size) if tokenizer.is_special(i))
    first, second = byte_ids(tokenizer, "é".encode())
    assert stream(tokenizer, [first, special, second]) == ["", "", "é", ""]
    shown = "".join(stream(tokenizer, [first, special, second], skip_special_tokens=False))
    assert shown == f"\ufffd{tokenizer.token_text(special)}\ufffd"


def test_an_unfinished_character_shows_at_the_end(tokenizer: Tokenizer) -> None:
    assert stream(tokenizer, byte_ids(tokenizer, b"a\xf0\x9f")) == ["a", "", "", "\ufffd"]


def test_only_the_first_space_goes(piece_metadata: dict[str, Any]) -> None:
    tokenizer = Tokenizer.from_gguf(piece_metadata, source="tiny")
    spaced = tokenizer.encode("he")[1:]
    assert stream(tokenizer, [1, *spaced, *spaced]) == ["", "he", " he", ""]
    assert stream(tokenizer, spaced, continuation=True) == [" he", ""]


CHARACTERS = ["é", "한", "😀", "\ufffd"]
FRAGMENTS = [char.encode()[:size] for char in CHARACTERS for size in range(1, len(char.encode()))]


@shared
@given(st.sampled_from(FRAGMENTS), st.binary(max_size=6))
def test_an_inherited_fragment_counts_only_where_it_is_continued(
    tokenizer: Tokenizer, fragment: bytes, data: bytes
) -> None:
    pieces = stream(tokenizer, byte_ids(tokenizer, data), continuation=True, pending=fragment)
    alone, joined = data.decode(errors="replace"), (fragment + data).decode(errors="replace")
    is_continued = bool(data) and joined != "\ufffd" + alone  # else the fragment shows as U+FFFD
    assert "".join(pieces) == (joined if is_continued else alone)


@pytest.mark.parametrize("char", CHARACTERS)
def test_a_prompt_may_end_in_the_middle_of_a_character(tokenizer: Tokenizer, char: str) -> None:
    data = char.encode()
    special = next(i for i in range(tokenizer.vocab_size) if tokenizer.is_special(i))
    for size in range(1, len(data)):
        prompt = byte_ids(tokenizer, "a한".encode() + data[:size])
        assert unfinished_character(tokenizer, prompt) == data[:size]
        assert unfinished_character(tokenizer, [*prompt, special]) == data[:size]
        rest = byte_ids(tokenizer, data[size:])
        assert "".join(stream(tokenizer, rest, continuation=True, pending=data[:size])) == char
    assert unfinished_character(tokenizer, byte_ids(tokenizer, data)) == b""
    assert unfinished_character(tokenizer, []) == b""


@shared
@given(st.binary(max_size=8))
def test_the_unfinished_character_is_what_utf8_waits_for(tokenizer: Tokenizer, data: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    decoder.decode(data)
    waiting, _ = decoder.getstate()
    assert unfinished_character(tokenizer, byte_ids(tokenizer, data)) == waiting


def test_counts_characters_broken_and_unfinished(tokenizer: Tokenizer) -> None:
    detokenizer = Detokenizer(tokenizer, continuation=True)
    states = []
    for token_id in byte_ids(tokenizer, b"\xf0\x9f\xc3\xa9a\xc3a"):
        detokenizer.push(token_id)
        states.append((detokenizer.num_broken, detokenizer.num_unfinished))
    assert states == [(0, 1), (0, 1), (1, 1), (0, 0), (0, 0), (0, 1), (1, 0)]


@shared
@given(st.binary(max_size=8))
def test_knows_which_characters_each_byte_is_part_of(tokenizer: Tokenizer, data: bytes) -> None:
    detokenizer = Detokenizer(tokenizer, continuation=True)
    length = 0
    for end, token_id in enumerate(byte_ids(tokenizer, data), 1):
        start = length
        length += len(detokenizer.push(token_id))
        so_far = data[:end].decode(errors="replace")
        assert length + detokenizer.num_unfinished == len(so_far)
        assert start + detokenizer.num_broken == len(so_far) - 1
