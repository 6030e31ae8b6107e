"""Stops are found wherever pieces are cut, and nothing of one is shown before it is found."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from foretell.errors import ConfigError
from foretell.text.stops import (
    TIME_PER_CHARACTER,
    TIMEOUT,
    SearchBudget,
    StopMatch,
    StopMatcher,
)

SMALL = st.text("ab#\n", min_size=1, max_size=6)
TEXTS = st.text("ab#\n", max_size=30)
STRINGS = st.lists(SMALL, max_size=4)
PATTERNS = st.lists(
    st.sampled_from(
        [
            "ab+#",
            "a.*b",
            r"\n\s*#",
            "(?:ab|ba){2}",
            "[^a]{3}",
            r"(a|b)#\1",
            "b(?=#)",
            "(?<=a)b#",
            "b$",
        ]
    ),
    max_size=2,
    unique=True,
)


def naive(
    text: str, strings: list[str], patterns: list[str], first: int = 1
) -> tuple[str, int, int] | None:
    """The stop by its definition: the first prefix of the text that has one, and the longest."""
    for end in range(first, len(text) + 1):
        prefix = text[:end]
        found = [("string", end - len(s), end) for s in strings if prefix.endswith(s)]
        for pattern in patterns:
            match = re.search(pattern, prefix)
            if match is not None:
                found.append(("regex", match.start(), match.end()))
        if found:
            return min(found, key=lambda one: one[1])
    return None


def cut(text: str, places: list[int]) -> list[str]:
    bounds = sorted({0, len(text), *(min(place, len(text)) for place in places)})
    return [text[start:stop] for start, stop in pairwise(bounds)]


CUTS = st.lists(st.integers(0, 30))


@given(TEXTS, STRINGS, PATTERNS, CUTS, st.booleans())
@example("aab", ["ab", "b", "aab"], [], [1], False)
@example("abab#", ["ab#"], [], [2, 3], False)
@example("ab#", ["b#"], ["ab+#"], [], False)
@example("aab#", ["aab#"], ["ab+#"], [], False)
def test_finds_the_stop_that_ends_first(
    text: str, strings: list[str], patterns: list[str], places: list[int], include: bool
) -> None:
    matcher = StopMatcher(strings, patterns, include=include)
    shown = [matcher.push(piece) for piece in cut(text, places)]
    expected = naive(text, strings, patterns)
    if expected is None:
        assert matcher.match is None
        assert "".join(shown) + matcher.finish() == text
        return
    kind, start, end = expected
    assert matcher.match is not None
    assert (matcher.match.start, matcher.match.end) == (start, end)
    assert matcher.match.value == text[start:end]
    assert kind == matcher.match.kind or len({*strings} & {text[start:end]}) == 1
    assert "".join(shown) == text[: end if include else start]
    assert matcher.finish() == matcher.push("more") == ""


@given(TEXTS, STRINGS)
def test_holds_back_what_begins_a_stop_string_and_no_more(text: str, strings: list[str]) -> None:
    matcher = StopMatcher(strings)
    for end, char in enumerate(text, 1):
        matcher.push(char)
        assume(matcher.match is None)
        ends = (text[end - length : end] for length in range(end, 0, -1))
        starts = (held for held in ends if any(s.startswith(held) and s != held for s in strings))
        assert matcher.num_held == len(next(starts, ""))


@given(TEXTS, st.lists(SMALL, min_size=1, max_size=3), CUTS, st.integers(0, 30))
def test_a_stop_before_it_may_act_is_text(
    text: str, strings: list[str], places: list[int], quiet: int
) -> None:
    matcher = StopMatcher(strings)
    quiet = min(quiet, len(text))
    pieces = cut(text, [*places, quiet])
    shown, read = "", 0
    for piece in pieces:
        read += len(piece)
        shown += matcher.push(piece, acts=read > quiet)
    expected = naive(text, strings, [], first=quiet + 1)
    assert shown + matcher.finish() == (text if expected is None else text[: expected[1]])


@pytest.mark.parametrize(
    ("pattern", "pieces", "shown"),
    [
        (r"\d{3}", ["a1", "2", "b123"], ["a", "", "12b"]),
        (r"\nUser:", ["hi\n", "User", ": x"], ["hi", "", ""]),
        (r"(?=\nUser:)", ["hi\n", "User", ": x"], ["hi", "", ""]),
        (r"\d+", ["a12", "3"], ["a", ""]),
        (r"cat\W", ["cat", "alog cat", "."], ["", "catalog ", ""]),
        (r"(?i)stop", ["ST", "ay ST", "OP"], ["", "STay ", ""]),
        (r"^b", ["ab", "\nb"], ["ab", "\nb"]),
    ],
)
def test_a_pattern_across_pieces(pattern: str, pieces: list[str], shown: list[str]) -> None:
    matcher = StopMatcher(patterns=[pattern])
    assert [matcher.push(piece) for piece in pieces] == shown


def test_a_pattern_passed_over_leaves_the_rest_to_be_found() -> None:
    matcher = StopMatcher(patterns=[r"\d\d"])
    assert matcher.push("a12b3", acts=False) == "a12b"
    assert matcher.push("4c") == ""
    assert matcher.match == StopMatch("regex", "34", 4, 6)


def test_a_pattern_passed_over_takes_no_more_than_its_match() -> None:
    matcher = StopMatcher(patterns=["a(?=b)|b#"])
    assert [matcher.push("ab", acts=False), matcher.push("#")] == ["a", ""]
    assert matcher.match == StopMatch("regex", "b#", 1, 3)


def test_a_stop_string_passed_over_is_shown_at_once() -> None:
    matcher = StopMatcher(["ab#", "b#a"])
    assert [matcher.push("ab", acts=False), matcher.push("#", acts=False)] == ["", "a"]
    assert StopMatcher(["ab#"]).push("ab#", acts=False) == "ab#"


def test_a_pattern_that_never_ends_holds_back_a_bounded_text() -> None:
    matcher = StopMatcher(patterns=["(?s)a.*z"], max_match=8)
    assert "".join(map(matcher.push, "abcdefghijkl")) == "abcdefghijkl"
    matcher = StopMatcher(patterns=["(?s)a.*z"], max_match=8)
    assert [matcher.push("abcdefgh"), matcher.num_held] == ["", 8]
    assert matcher.push("z") == ""
    assert matcher.match == StopMatch("regex", "abcdefghz", 0, 9)


def test_the_whole_text_counts_for_its_beginning_only() -> None:
    matcher = StopMatcher(patterns=["^b"], max_match=2)
    assert "".join(matcher.push(char) for char in "aaaaaab") == "aaaaaab"
    assert matcher.match is None


def test_the_string_is_named_where_a_pattern_finds_the_same() -> None:
    matcher = StopMatcher(["ab"], ["ab"])
    assert matcher.push("xab") == "x"
    assert matcher.match == StopMatch("string", "ab", 1, 3)


@pytest.mark.parametrize("pattern", ["a*", "", "^", "$", "(a|)", "(?!b)"])
def test_a_pattern_that_matches_nothing_at_all_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="matches the empty text: must need"):
        StopMatcher(patterns=[pattern])


def test_a_malformed_pattern_is_refused() -> None:
    with pytest.raises(ConfigError, match=re.escape("stop_regex='a(' is no regular expression: ")):
        StopMatcher(patterns=["a("])


@pytest.mark.parametrize("size", [1024, 4000])
def test_a_plain_text_may_be_as_long_as_it_is(size: int) -> None:
    text = "ab." * size
    for pattern in (re.escape(text), f"{re.escape(text)[:-2]}{re.escape('.')}"):
        matcher = StopMatcher(patterns=[pattern])
        assert matcher.push("x" + text[:-1]) == "x"
        assert matcher.push(".y") == ""
        assert matcher.match == StopMatch("regex", text, 1, 1 + len(text))
    assert StopMatcher(patterns=["a" * size]).push("a" * (size - 1) + "b") == "a" * (size - 1) + "b"


@given(
    st.text("aab.\n\t -#\\(", min_size=1, max_size=5),
    st.text("ab.\n\t -#\\(", max_size=20),
    st.sets(st.integers(0, 20)),
)
def test_a_plain_text_is_found_as_the_expression_is(
    literal: str, text: str, quiet: set[int]
) -> None:
    """A group round it makes it an expression for the matcher, and changes nothing."""
    plain = StopMatcher(patterns=[re.escape(literal)])
    grouped = StopMatcher(patterns=[f"(?:{re.escape(literal)})"])
    for index, char in enumerate(text):
        acts = index not in quiet
        assert plain.push(char, acts=acts) == grouped.push(char, acts=acts)
        assert (plain.match, plain.num_held) == (grouped.match, grouped.num_held)


@pytest.mark.parametrize("opening", ["(", "(?:", "(x|", "(?=", "(a)?("])
def test_groups_may_not_lie_in_one_another_without_end(opening: str) -> None:
    for depth in (101, 500, 10_000):
        with pytest.raises(ConfigError, match=rf"has {depth} groups in one another: must have at"):
            StopMatcher(patterns=[opening * depth + "a" + ")" * depth])
    shallow = StopMatcher(patterns=[opening * 100 + "a" + ")" * 100])
    assert shallow.push("a") == ""


def test_what_opens_no_group_is_not_counted() -> None:
    matcher = StopMatcher(patterns=[r"\(" * 300 + "[((((]" * 100 + "[](]{3}"])
    assert matcher.push("(" * 403) == ""


def test_an_expression_too_long_is_refused_shortly() -> None:
    with pytest.raises(
        ConfigError, match="has 100001 characters: must have at most 65536"
    ) as caught:
        StopMatcher(patterns=["a\n" * 50_000 + "."])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(ConfigError, match="stop='' would end every text"):
        StopMatcher(["a", ""])


def test_a_catastrophic_pattern_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretell.text.stops.TIMEOUT", 0.05)
    matcher = StopMatcher(patterns=[r"(a|aa)+\n"])
    with pytest.raises(ConfigError, match=r"took over 0.05 s on \d+ characters"):
        matcher.push("a" * 60 + "b")


def test_all_searches_together_have_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """No search here takes as long as the budget, and each character has one."""
    monkeypatch.setattr("foretell.text.stops.TIMEOUT", 0.05)
    matcher = StopMatcher(patterns=[r"(?s)(?:(?:.|\w|\W){12}[@#]|.+[@#])"])
    with pytest.raises(ConfigError, match=r"stop_regex=.* took over 0.05 s on \d+ characters"):
        matcher.push("a" * 5000)


def test_matchers_of_one_request_share_their_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretell.text.stops.TIMEOUT", 0.05)
    budget = SearchBudget()
    slow = StopMatcher(patterns=[r"(a|aa)+\n"], budget=budget)
    other = StopMatcher(patterns=["b+c"], budget=budget)
    with pytest.raises(ConfigError):
        slow.push("a" * 60 + "b")
    assert budget.left < 0.04
    budget.left = -1.0
    with pytest.raises(ConfigError, match=r"took over 0.05 s on 1 character:"):
        other.push("b")


def test_a_long_text_gives_back_what_its_searches_take() -> None:
    budget = SearchBudget()
    matcher = StopMatcher(patterns=[r"\d{9}", "(?s)<a>.*</a>"], budget=budget)
    for _ in range(2000):
        assert matcher.push("one two ") == "one two "
    assert TIMEOUT / 2 < budget.left <= TIMEOUT
    budget.left = 0.0
    budget.refill(8)
    assert budget.left == 8 * TIME_PER_CHARACTER


def test_a_pattern_is_taken_apart_once_for_all_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("foretell.text.stops.check_structure", lambda *what: seen.append(what))
    for _ in range(3):
        StopMatcher(patterns=["once (for|and) all"])
    assert len(seen) == 1


@pytest.mark.parametrize("raised", [MemoryError, RecursionError])
def test_a_search_that_takes_too_much_memory_is_ended(
    raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pattern:
        pattern = "a+b"

        def search(self, *arguments: object, **settings: object) -> None:
            if arguments[0]:
                raise raised

    monkeypatch.setattr("regex.compile", lambda pattern: Pattern())
    matcher = StopMatcher(patterns=["a+b"])
    with pytest.raises(
        ConfigError, match=r"stop_regex='a\+b' takes too much memory on 1 character:"
    ):
        matcher.push("a")


def test_a_search_that_waited_for_the_processor_begins_again() -> None:
    waits = iter([True, True, False])

    class Pattern:
        pattern = "a"

        def search(self, *arguments: object, **settings: object) -> str:
            if next(waits):
                raise TimeoutError
            return "found"

    budget = SearchBudget()
    assert budget.search(Pattern(), "a", 0, 1) == "found"
    assert budget.left > 0.9 * TIMEOUT


def test_a_search_of_the_empty_text_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretell.text.stops.TIMEOUT", 0.05)
    with pytest.raises(ConfigError, match=r"took over 0.05 s on 0 characters: must have no nested"):
        StopMatcher(patterns=["(?:(?:^|$)a?){30}(?!$)"])


def test_flags_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="is no regular expression: "):
        StopMatcher(patterns=["(?a)(?u)b"])


@pytest.mark.parametrize(
    ("text", "num_held"), [("ab", 2), ("xz", 1), ("azza", 1), ("azzab", 2), ("azz", 2), ("q", 0)]
)
def test_where_either_kind_may_yet_stop_the_longer_end_is_held_back(
    text: str, num_held: int
) -> None:
    """A stop string that begins holds back, though no pattern does, and the other way round."""
    matcher = StopMatcher(strings=["abc"], patterns=["z+q"])
    assert matcher.push(text) == text[: len(text) - num_held]
    assert matcher.num_held == num_held
