"""Patterns that would cost too much before anything is searched are refused, and others are not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.errors import ConfigError
from foretell.text.stop_patterns import _size_written_out, check_structure
from foretell.text.stops import StopMatcher

BOMBS = {
    "((((a{99}){99}){99}){99}){99}": "over 1000000000",
    "(((a?){1000}){1000}){1000}b": "over 1000000000",
    "a{70000}": "70000",
    "(a{999}){999}": "",
    "(a{999}){999,}?": "",
    "(?x) (a{999}) # c\n {999}": "",
    "(?i)(?x)(a{999}){ 999 }": "",
    "(?x)(((a{99}){99}) # [\n){99} # ]": "",
    r"(a{999})(?#\)x){999}": "",
    "(a{999})(?i){999}": "",
    "((a{999})[[:alpha:](]){999}": "",
    r"((a{999})[]\](]){999}": "",
    "a{" + "9" * 5000 + "}": "over 1000000000",
}


@pytest.mark.parametrize("pattern", BOMBS)
def test_what_is_repeated_may_not_take_all_memory(pattern: str) -> None:
    message = rf"has {BOMBS[pattern]}.*is written out: must have at most 65536"
    with pytest.raises(ConfigError, match=message) as caught:
        StopMatcher(patterns=[pattern])
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("pattern", "call"),
    [
        ("(?R)?a", "(?R"),
        ("(?:(?R)|b)+c", "(?R"),
        ("(?1)(a(?1)?)", "(?1"),
        ("(a)(?-1)", "(?-1"),
        ("(?P<x>a(?&x)?)b", "(?&"),
        ("(?P>x)(?P<x>a)", "(?P>"),
    ],
)
def test_a_group_may_not_be_called(pattern: str, call: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"has {call}: must not call a group")):
        StopMatcher(patterns=[pattern])


@pytest.mark.parametrize(
    "pattern", ["(?V1)[a[b(]]", "a(?x: b)", "a(?x) b", "(?x)a(?-x: b)", "a{e:(}", "(?x)a{e<=1:)}"]
)
def test_what_changes_how_a_pattern_is_read_stands_at_its_beginning(pattern: str) -> None:
    with pytest.raises(ConfigError, match="must have the flag x at its beginning or not at all"):
        StopMatcher(patterns=[pattern])


@pytest.mark.parametrize(
    "pattern",
    [
        r"(\d{1,3}\.){3}\d{1,3}",
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "(?x) a {3} # [ and ( and (?R)",
        "(?i)(?x) user :",
        "(?P<name>a)(?P=name)",
        r"[(?R)]\(?R\)",
        "(?#(?R)a",
        "(?:ab){10000}",
        "a{0,99999}b",
        "(?:(?:a{0,999}){0,999}){0,999}b",
        "[[:alpha:]]+x",
        "(?s-i:a)",
        r"\p{L}{3}",
        '{"a":("b")}',
        "(?<=x)y",
    ],
)
def test_usual_patterns_pass(pattern: str) -> None:
    StopMatcher(patterns=[pattern])


@pytest.mark.parametrize(
    "start", ["[", "[[:a", "[:", "(?#", "\\", "(?", "{0", "(?x", "(?:x", "{0:", "[^]"]
)
def test_a_long_pattern_is_read_once(start: str) -> None:
    """Were it read anew from each of its beginnings, this would take minutes."""
    for pattern in (start * (65_536 // len(start)), start + "x" * 65_000):
        try:
            check_structure(pattern, "pattern")
        except ConfigError as error:
            assert "pattern has " in str(error)  # noqa: PT017 either answer will do


@given(st.recursive(st.just("a"), lambda part: st.lists(part, min_size=1, max_size=3).map(tuple)))
def test_the_size_is_that_of_what_is_written_out(tree: object) -> None:
    def written(one: object) -> tuple[str, int]:
        if not isinstance(one, tuple):
            return "a", 1
        parts = [written(part) for part in one]
        pattern = "".join(f"{text}{{{times}}}" for times, (text, _) in enumerate(parts, 1))
        size = sum(times * size for times, (_, size) in enumerate(parts, 1))
        return f"({pattern})", size + 1

    pattern, size = written(tree)
    assert _size_written_out(pattern) == size
