"""A text's place in its language: what may come, what must, whether it may end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from support.grammars import grammar_of

from foretell.grammar.matcher import Matcher, Matchers


@dataclass
class Text:
    """A sequence whose tokens are bytes."""

    tokens: list[int] = field(default_factory=list)
    index: int = 0
    num_prompt_tokens: int = 0


def at(text: bytes, **form: str) -> Matcher:
    matcher = grammar_of(**form).start()
    matcher.advance([*text])
    return matcher


def allowed(matcher: Matcher) -> bytes:
    return bytes(np.flatnonzero(matcher.allowed()).tolist())


def test_what_may_come_is_fresh_each_time() -> None:
    matcher = at(b"a", regex="a[bc]d?")
    assert allowed(matcher) == b"bc"
    matcher.allowed()[:] = True
    assert allowed(matcher) == b"bc"


@pytest.mark.parametrize(
    ("text", "may_end", "has_ended"),
    [(b"a", False, False), (b"ab", True, False), (b"abd", True, True)],
)
def test_a_text_may_end_before_it_must(text: bytes, may_end: bool, has_ended: bool) -> None:
    matcher = at(text, regex="a[bc]d?")
    assert (matcher.is_accepting, matcher.has_ended) == (may_end, has_ended)


def test_a_clone_goes_its_own_way() -> None:
    matcher = at(b"a", regex="ab+|ac")
    other = matcher.clone()
    matcher.advance(b"b")
    other.advance(b"c")
    assert (allowed(matcher), other.has_ended) == (b"b", True)


def test_what_is_forced_and_what_is_possible_change_nothing() -> None:
    matcher = at(b"", regex="the (cat|dog)")
    assert bytes(matcher.forced_tokens()) == b"the "
    assert matcher.validate([*b"the cow"]) == 5
    assert allowed(matcher) == b"t"


def test_matchers_follow_sequences_by_their_index() -> None:
    matchers = Matchers(grammar_of(regex="[ab]c"))
    one, two = Text([*b"xxa"], 0, 2), Text([*b"xxb"], 1, 2)
    first = matchers.at(one)
    assert matchers.at(two) is not first
    one.tokens += b"c"
    assert matchers.at(one) is first
    assert first.has_ended
    del one.tokens[3:]  # taken back
    assert not matchers.at(one).has_ended


def test_matchers_of_a_search_follow_what_was_written() -> None:
    matchers = Matchers(grammar_of(regex="[ab]+c"), by_text=True)
    parent = Text([*b"x"], 0, 1)
    matchers.at(parent)
    texts = [Text([*b"x", *last], 0, 1) for last in (b"a", b"b")]
    children = [matchers.at(text) for text in texts]
    assert children[0] is not children[1]
    assert matchers.at(Text([*b"xa"], 5, 1)) is children[0]
    assert matchers.at(Text([*b"xac"], 5, 1)).has_ended


def test_a_whole_text_is_accepted_or_not() -> None:
    grammar = grammar_of(regex="a+b")
    assert grammar.accepts("aab")
    assert not any(map(grammar.accepts, ("aa", "aabb", "", "é")))
