"""Text in pieces, broken between words."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as some

from foretell.cli.chat.wrapping import WordWrapper
from foretell.utils.display import width_of


def wrapped(pieces: list[str], columns: int) -> str:
    wrapper = WordWrapper(columns)
    return "".join(map(wrapper.push, pieces)) + wrapper.finish()


WORDS = some.lists(some.text("abcdef.,", min_size=1, max_size=20), min_size=1, max_size=30)


@given(WORDS, some.integers(20, 60), some.integers(1, 7))
def test_lines_are_those_of_textwrap(words: list[str], columns: int, size: int) -> None:
    text = " ".join(words)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    expected = textwrap.wrap(text, columns, break_on_hyphens=False, break_long_words=False)
    assert wrapped(pieces, columns).split("\n") == expected


@given(some.text("ab \n고字", max_size=80), some.integers(10, 30))
def test_nothing_but_spaces_is_lost_and_lines_fit(text: str, columns: int) -> None:
    shown = wrapped(list(text), columns)
    assert "".join(shown.split()) == "".join(text.split())
    for line in shown.split("\n"):
        assert width_of(line.rstrip()) <= columns
    if all(width_of(line) <= columns for line in text.split("\n")):
        assert [line.rstrip() for line in shown.split("\n")] == [
            line.rstrip() for line in text.split("\n")
        ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["one two", "three"]),
        ("    two and", ["    two", "and"]),
        ("한국어 글도 낱말", ["한국어", "글도", "낱말"]),
        ("漢字漢字漢字漢字", ["漢字漢字", "漢字漢字"]),
        ("abcdefghijkl", ["abcdefgh", "ijkl"]),
        ("abcdefg고고", ["abcdefg", "고고"]),
        ("abcdefgh고", ["abcdefgh", "고"]),
        (" " * 9 + "a", ["a"]),
        ("a\n\nb", ["a", "", "b"]),
    ],
)
def test_examples(text: str, lines: list[str]) -> None:
    assert wrapped([text], 8).split("\n") == lines


def test_a_word_is_shown_once_its_end_is_known() -> None:
    wrapper = WordWrapper(80)
    assert [wrapper.push(piece) for piece in ("a w", "ord", ",", " b")] == ["a", "", "", " word,"]
    assert wrapper.finish() == " b"
