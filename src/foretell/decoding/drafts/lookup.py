"""Drafts by looking up: a text that begins to repeat itself, or its prompt, may go on so."""

from __future__ import annotations

from collections.abc import Sequence

from foretell.config import GenerationConfig
from foretell.decoding.drafts.base import MAX_CHANCE, NO_DRAFT, Draft
from foretell.decoding.drafts.suffix_index import MAX_MATCH, SuffixIndex
from foretell.decoding.processors.base import History

CHANCES = (0.15, 0.25, 0.4, 0.6, 0.75, 0.9)
CHANCES_AT_ONE = (0.0, 0.12, 0.25, 0.4, 0.6, 0.75)
"""How often a guess is right where nothing is known yet, by the length of the match: 1, 2, 3 to 4,
5 to 8, 9 to 16, more. The second: at temperature 1 or above.
"""
PRIOR_WEIGHT = 5.0  # guesses that these are worth
MEMORY = 24.0  # guesses whose mean is taken

LEVELS = tuple((length - 1).bit_length() for length in range(1, MAX_MATCH + 1))
"""By the length of a match less 1: its place in the tables above."""


class LookupDrafter:
    """Drafts from each sequence's own prompt and output, and from a corpus.

    Args:
        corpus: texts of other sources, one after another, which are looked up too.
    """

    def __init__(self, corpus: Sequence[int] = ()) -> None:
        self._corpus: SuffixIndex | None = None
        if corpus:
            self._corpus = SuffixIndex([*corpus])

    def follow(self, history: History, config: GenerationConfig) -> LookupFollower:
        """What is known of one sequence."""
        return LookupFollower(history.tokens, self._corpus, is_hot=_is_hot(config))

    def propose(
        self, followers: Sequence[LookupFollower], most: int, step_seconds: float
    ) -> list[Draft]:
        """For each of these what stood behind the last place that was like its end."""
        return [follower.propose(most) for follower in followers]


class LookupFollower:
    """One sequence: where it stands in what it repeats, and how often guesses were right.

    Each token that comes is held against the one that was foreseen, whether or not it was drafted:
    so it is known at no cost when guessing pays again.
    """

    def __init__(self, tokens: Sequence[int], corpus: SuffixIndex | None, *, is_hot: bool) -> None:
        self._tokens = tokens
        self._own = SuffixIndex(tokens)
        self._corpus = corpus
        self._least = 2 if is_hot else 1
        self._chances = [*(CHANCES_AT_ONE if is_hot else CHANCES)]
        self._weights = [PRIOR_WEIGHT] * len(CHANCES)
        self._num_seen = 0
        self._from: Sequence[int] = tokens  # what is repeated: the text itself, or the corpus
        self._source = self._length = 0  # the place there, and the tokens before it that are alike

    def propose(self, most: int) -> Draft:
        """What stood behind the longest match, and how probably each token is right."""
        if self._length:
            self._learn()
        if not self._length:
            self._find()
            if not self._length:
                return NO_DRAFT
        return self._draft(most)

    def _draft(self, most: int) -> Draft:
        source, longest, first = self._source, len(LEVELS) - 1, self._length - 1
        tokens = [*self._from[source : source + most]]
        if self._from is self._tokens:  # a text that repeats its very end goes round
            for ahead in range(len(tokens), most):
                tokens.append(tokens[ahead - (len(self._tokens) - source)])
        levels = [LEVELS[min(first + ahead, longest)] for ahead in range(len(tokens))]
        return Draft(tokens, [min(MAX_CHANCE, self._chances[level]) for level in levels])

    def _learn(self) -> None:
        """Hold the tokens that have come against those that were foreseen."""
        tokens = self._tokens
        for position in range(self._num_seen, len(tokens)):
            if not self._length:
                break
            level = LEVELS[self._length - 1]
            is_right = self._source < len(self._from) and (
                self._from[self._source] == tokens[position]
            )
            weight = self._weights[level] = min(MEMORY, self._weights[level] + 1)
            self._chances[level] += (is_right - self._chances[level]) / weight
            self._source += 1
            self._length = min(self._length + 1, MAX_MATCH) if is_right else 0
        self._num_seen = len(tokens)

    def _find(self) -> None:
        """Look for the longest match; of two that are as long, the text's own counts."""
        found = self._own.match(self._tokens, self._least)
        self._from, self._num_seen = self._tokens, len(self._tokens)
        if self._corpus is not None and found.length < MAX_MATCH:
            other = self._corpus.match(self._tokens, self._least)
            if other.length > found.length:
                found, self._from = other, self._corpus.tokens
        self._source, self._length = found


def _is_hot(config: GenerationConfig) -> bool:
    """Whether draws are as random as the model is: a single token then foretells too little."""
    if not config.is_sampling:
        return False
    temperature = config.temperature
    return temperature is None or temperature >= 1.0 or bool(config.dynatemp_range)
