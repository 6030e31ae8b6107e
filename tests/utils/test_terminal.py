"""What a terminal may see."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.utils.terminal import is_terminal, printable, show_bytes

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b31m\x00\x7f", r"\x9b31m\x00\x7f"),
        ("name\r\n\tname", r"name\r\n\tname"),
        ("a\u202eb\u2066c\u2028d", r"a\u202eb\u2066c\u2028d"),
        ("\ud83d", r"\ud83d"),
        ("고양이 café 👩‍👩‍👧 שלום\u200f", "고양이 café 👩‍👩‍👧 שלום\u200f"),
    ],
)
def test_what_would_steer_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_and_tabs_can_be_kept() -> None:
    assert printable("a\n\tb\r\x1b", keep="\n\t") == "a\n\tb\\r\\x1b"


@given(ANY_TEXT)
def test_no_control_is_left_of_any_text(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert {"Cc", "Cs", "Zl", "Zp"}.isdisjoint(map(unicodedata.category, shown))
    assert {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}.isdisjoint(
        map(unicodedata.bidirectional, shown)
    )


@given(ANY_TEXT, ANY_TEXT)
def test_a_text_may_come_in_pieces(one: str, other: str) -> None:
    assert printable(one) + printable(other) == printable(one + other)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("고".encode(), "고"),
        ("고".encode()[:2], "<EA B3>"),
        ("고".encode()[2:], "<A0>"),
        (b"a" + "고".encode()[1:] + b" b", "a<B3 A0> b"),
        ("고".encode()[:1] + "양".encode(), "<EA>양"),
        (b"\xff\xed\xa0\x80", "<FF ED A0 80>"),
        (b"", ""),
    ],
)
def test_pieces_of_characters_show_as_bytes(data: bytes, shown: str) -> None:
    assert show_bytes(data) == shown


@given(st.text())
def test_whole_characters_show_as_themselves(text: str) -> None:
    assert show_bytes(text.encode()) == text


def test_a_stream_that_is_not_there_is_no_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert [is_terminal(one) for one in (None, io.StringIO(), Terminal())] == [False, False, True]
