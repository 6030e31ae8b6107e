"""Short reprs: what they cut, and what they leave as it is."""

from __future__ import annotations

import pytest

from foretell.config import GenerationConfig
from foretell.utils.short_repr import call_repr, short_repr


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.8, "0.8"),
        (1 / 3, "0.333333"),
        (True, "True"),
        (None, "None"),
        ("it's", '"it\'s"'),
        ("a" * 101, f"'{'a' * 100}'… (101 characters)"),
        (b"0" * 200, f"b'{'0' * 100}'… (200 bytes)"),
        ([], "[]"),
        ((7,), "(7,)"),
        ([*range(9)], "[0, 1, 2, 3, 4, 5, … 9 in all]"),
        (((1, 2), (3,)), "((1, 2), (3,))"),
        ({"a": -1.0}, "{'a': -1.0}"),
        (dict.fromkeys(range(8), 0), "{0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, … 8 in all}"),
        (len, "len"),
        ((len,), "(len,)"),
        ([GenerationConfig()] * 3, "[3 × GenerationConfig]"),
    ],
)
def test_values(value: object, shown: str) -> None:
    assert short_repr(value) == shown


def test_a_call() -> None:
    assert call_repr("Name", {"a": 1, "b": "c"}) == "Name(a=1, b='c')"
    assert call_repr("Name", {}) == "Name()"
