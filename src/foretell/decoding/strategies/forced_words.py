"""How far a text has come with words that it must have.

A word is begun by its first token and lost by a token that does not go on with it; that token is
not looked at anew. Several alternatives of a word are one trie. All of this is as in transformers'
`PhrasalConstraint`, `DisjunctiveConstraint` and `ConstraintListState` (up to 4.56).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

Alternatives = Sequence[Sequence[int]]
"""Ways of writing a word, in ids."""


@dataclass(frozen=True, eq=False, repr=False)  # of any depth
class Trie:
    """What may come next of a word, by token id; nothing where it is written.

    `least` tokens are missing at least, `most` at most.
    """

    next: Mapping[int, Trie]
    least: int
    most: int


@dataclass(frozen=True)
class Progress:
    """The numbers of words still to come, in the order in which they are looked for.

    If a word was begun, `word` is its number, `length` how many tokens of it came, and `rest` what
    is missing. Words that are neither are written.
    """

    pending: tuple[int, ...]
    word: int = 0
    length: int = 0
    rest: Trie | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all words are written."""
        return not self.pending and self.rest is None


class ForcedWords:
    """Words of which a text must have all, each in one of its alternatives.

    Attributes:
        start: before the first token.
    """

    def __init__(self, words: Iterable[Alternatives]) -> None:
        self._words = [_trie([*map(tuple, word)]) for word in words]
        self._longest = max(word.most for word in self._words)
        self._by_first: dict[int, list[int]] = {}  # the words that may begin with a token
        for number, word in enumerate(self._words):
            for token_id in word.next:
                self._by_first.setdefault(token_id, []).append(number)
        self._firsts: dict[tuple[int, ...], list[int]] = {}
        self.start = Progress(tuple(range(len(self._words))))

    def after(self, progress: Progress, token_id: int) -> Progress:
        """How far a text has come with one more token."""
        if progress.rest is not None:
            rest = progress.rest.next.get(token_id)
            if rest is None:
                return Progress((*progress.pending, progress.word))
            return _further(progress.pending, progress.word, progress.length + 1, rest)
        pending = progress.pending
        places = [pending.index(one) for one in self._by_first.get(token_id, ()) if one in pending]
        if not places:
            return progress
        place = min(places)
        rest = self._words[pending[place]].next[token_id]
        return _further(pending[:place] + pending[place + 1 :], pending[place], 1, rest)

    def after_all(self, token_ids: Iterable[int]) -> Progress:
        """How far these tokens come."""
        return reduce(self.after, token_ids, self.start)

    def next_tokens(self, progress: Progress) -> list[int]:
        """The tokens that bring a text further, each once."""
        if progress.rest is not None:
            return [*progress.rest.next]
        pending = progress.pending
        if pending not in self._firsts:
            found = (token_id for word in pending for token_id in self._words[word].next)
            self._firsts[pending] = [*dict.fromkeys(found)]
        return self._firsts[pending]

    def bank(self, progress: Progress) -> int:
        """How far a text has come, as one number: for each word as much as the longest takes."""
        missing = 0
        if progress.rest is not None:
            missing = self._words[progress.word].most - progress.length
        return (len(self._words) - len(progress.pending)) * self._longest - missing

    def least(self, progress: Progress) -> int:
        """Tokens that are missing at least."""
        rest = 0 if progress.rest is None else progress.rest.least
        return rest + sum(self._words[word].least for word in progress.pending)


def _further(pending: tuple[int, ...], word: int, length: int, rest: Trie) -> Progress:
    return Progress(pending, word, length, rest) if rest.next else Progress(pending)


def _trie(alternatives: Sequence[tuple[int, ...]]) -> Trie:
    """Of alternatives that begin alike the shortest is enough, where it is the beginning itself."""
    nexts: list[dict[int, int]] = [{}]  # of each place the places that follow, by token id
    written = set()
    for alternative in alternatives:
        place = 0
        for token_id in alternative:
            if token_id not in nexts[place]:
                nexts[place][token_id] = len(nexts)
                nexts.append({})
            place = nexts[place][token_id]
        written.add(place)
    made: dict[int, Trie] = {}
    for place in reversed(range(len(nexts))):  # what follows a place was numbered after it
        following = {} if place in written else nexts[place]
        made[place] = _from_there({one: made[after] for one, after in following.items()})
    return made[0]


def _from_there(rest: Mapping[int, Trie]) -> Trie:
    if not rest:
        return Trie(rest, 0, 0)
    least, most = min(one.least for one in rest.values()), max(one.most for one in rest.values())
    return Trie(rest, 1 + least, 1 + most)
