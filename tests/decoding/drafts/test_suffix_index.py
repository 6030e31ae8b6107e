"""Where a text's end stood before, against a search of all places."""

import random

import pytest

from foretell.decoding.drafts import suffix_index
from foretell.decoding.drafts.suffix_index import NO_MATCH, Match, SuffixIndex


def by_search(tokens, text, least=1):
    """The longest end that stands before another token, the last such place."""
    best = NO_MATCH
    for end in range(1, len(tokens)):
        length = 0
        while length < min(end, len(text), suffix_index.MAX_MATCH) and (
            tokens[end - 1 - length] == text[len(text) - 1 - length]
        ):
            length += 1
        if length >= max(best.length, least) and length:
            best = Match(end, length)
    return best


@pytest.mark.parametrize("vocab_size", [2, 3, 8, 40])
@pytest.mark.parametrize("least", [1, 2])
def test_the_longest_match_is_found_as_a_text_grows(vocab_size, least, monkeypatch):
    monkeypatch.setattr(suffix_index, "MAX_TRIES", 10**6)
    rng = random.Random(vocab_size)
    text: list[int] = []
    index = SuffixIndex(text)
    for _ in range(200):
        text += [rng.randrange(vocab_size) for _ in range(rng.randint(1, 3))]
        found, expected = index.match(text, least), by_search(text, text, least)
        assert found.length == expected.length
        if found.length != suffix_index.MAX_MATCH:  # of longer ones the first that is met counts
            assert found == expected


def test_another_text_is_searched():
    index = SuffixIndex([1, 2, 3, 4, 5, 2, 3, 6])
    assert index.match([9, 2, 3]) == Match(7, 2)
    assert index.match([1, 2, 3]) == Match(3, 3)
    assert index.match([9, 4]) == Match(4, 1)
    assert index.match([9, 4], 2) == index.match([6]) == index.match([9]) == NO_MATCH


def test_few_places_are_looked_at():
    """However often a pair came: a match is found, of some length."""
    text = [1, 2] * 50_000
    index = SuffixIndex(text)
    assert index.match(text) == Match(len(text) - 2, suffix_index.MAX_MATCH)
    index = SuffixIndex([3, 1, 2, *[0, 1, 2] * 1000, 9])
    assert index.match([3, 1, 2]).length == 2  # the place of three is too far back
