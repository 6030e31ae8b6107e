"""Where in a text its own end stood before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MAX_MATCH = 32  # tokens that are compared: longer matches are as good as this
MAX_TRIES = 24  # earlier places that are looked at, the latest first


class Match(NamedTuple):
    """The last `length` tokens of a text are those before position `source` of the index."""

    source: int
    length: int


NO_MATCH = Match(0, 0)


class SuffixIndex:
    """Finds where the longest end of a text stood before.

    Pairs of tokens are looked up, and the places where a pair stood are followed backwards in time;
    at each the match is extended to the left. For a text without a known pair its last token is
    looked up alone.

    Args:
        tokens: what is searched; it may grow, at its end.
    """

    def __init__(self, tokens: Sequence[int]) -> None:
        self.tokens = tokens
        self._pairs: dict[tuple[int, int], int] = {}  # where each ended last
        self._singles: dict[int, int] = {}
        self._earlier: list[int] = []  # for each position, where the pair ended before; -1: nowhere

    def match(self, text: Sequence[int], least: int = 1) -> Match:
        """The longest end of `text`, of `least` tokens at least, and where it stood last.

        The text may be the one that is searched: its end does not match itself.
        """
        tokens, pairs, singles, earlier = self.tokens, self._pairs, self._singles, self._earlier
        previous = tokens[len(earlier) - 1] if earlier else -1
        for position in range(len(earlier), len(tokens) - 1):  # nothing follows the last one yet
            token = tokens[position]
            pair = (previous, token)
            earlier.append(pairs.get(pair, -1))
            pairs[pair] = singles[token] = position
            previous = token
        last = len(text) - 1
        end = pairs.get((text[last - 1], text[last]), -1) if last else -1
        if end > 0:
            return self._longest(text, end)
        single = singles.get(text[last], -1) if least == 1 else -1
        return NO_MATCH if single < 0 else Match(single + 1, 1)

    def _longest(self, text: Sequence[int], end: int) -> Match:
        """The longest match among those whose last two tokens end at `end` or before."""
        tokens, last = self.tokens, len(text) - 1
        best = source = 0
        for _ in range(MAX_TRIES):
            length, most = 2, min(MAX_MATCH, end + 1, last + 1)
            while length < most and tokens[end - length] == text[last - length]:
                length += 1
            if length > best:
                best, source = length, end + 1
            end = self._earlier[end]
            if end < 1 or best == MAX_MATCH:
                break
        return Match(source, best)
