"""What messages quote of files and users: short, in one line, nothing that a terminal obeys."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.utils.quoting import escape, name_some, one_line, quote, quote_json


class _Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("llama", "'llama'"),
        ("\x1b[31mred", r"'\x1b[31mred'"),
        ("a\nb", r"'a\nb'"),
        ("\u202eabc", r"'\u202eabc'"),
        ("\ud800", r"'\ud800'"),
        (b"\x00a", r"b'\x00a'"),
        (7, "7"),
        (10**5000, "an integer of about 5000 digits"),
        (-(10**5000), "an integer of about 5000 digits"),
        ([10**5000], "<list>"),
        (1e400, "inf"),
        (None, "None"),
        (_Mute(), "<_Mute>"),
        (np.zeros((2, 2)), "array([[0., 0.], [0., 0.]])"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_shown_as_python_spells_them(value, shown):
    assert quote(value) == shown


@pytest.mark.parametrize(
    "value", ["a" * 5000, ["b"] * 5000, {"c" * 5000: 1}, b"d" * 5000, "\U0010ffff" * 99]
)
def test_long_values_are_cut(value):
    shown = quote(value)
    assert len(shown) < 85
    assert shown.endswith("…")


@given(st.text(), st.integers(1, 80))
def test_nothing_shown_is_a_control_character(text, limit):
    for shown in (quote(text, limit), one_line(text, limit), escape(text), quote([text], limit)):
        assert shown.isprintable()
        shown.encode()


def test_an_error_of_several_lines_becomes_one():
    assert one_line("first\n  second\x1b[0m\n" + "x" * 500) == (
        r"first second\x1b[0m " + "x" * 180 + "…"
    )


def test_some_of_many_names_are_told_and_the_rest_counted():
    names = [f"n{index}" for index in range(5)]
    assert name_some(names) == "'n0', 'n1', 'n2' and 2 more"
    assert name_some(iter(names), 5) == "'n0', 'n1', 'n2', 'n3', 'n4'"
    assert name_some(["a\x1b"]) == r"'a\x1b'"


def test_what_is_to_be_kept_is_not_escaped():
    assert escape("a\tb\x1b\n", keep="\n") == r"a\tb\x1b" + "\n"
    assert escape("letters, 글자, 😀") == "letters, 글자, 😀"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("한글 ≥ 0…", '"한글 ≥ 0…"'),
        ('a"\\\n', r'"a\"\\\n"'),
        ("\x7f\x9b", r'"\u007f\u009b"'),
        ("\u202eabc\u2028", r'"\u202eabc\u2028"'),
        ("\ud800", r'"\ud800"'),
        ("\U000e0001", r'"\udb40\udc01"'),
    ],
)
def test_json_for_people_has_their_script_and_nothing_to_obey(value, shown):
    assert quote_json(value) == shown


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_json_for_people_is_json_and_printable(text):
    shown = quote_json({text: [text]})
    assert shown.isprintable()
    assert json.loads(shown) == {text: [text]}
