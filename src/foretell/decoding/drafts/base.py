"""What a draft is, and who makes it.

    follower = drafter.follow(history, config)      once a sequence
    drafts = drafter.propose(followers, most, step_seconds)     before a step: a draft for each

A draft changes nothing of what is generated: what follows each of its tokens is computed ahead, and
used if that very token is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from foretell.config import GenerationConfig
from foretell.decoding.processors.base import History

MAX_DRAFT = 7
"""Tokens of a guess: with the one before them they are as many as share a pass over the weights."""

MAX_CHANCE = 0.99  # of a guessed token: none is certain


class Draft(NamedTuple):
    """Tokens that a sequence may go on with.

    `chances` are how probable it is that each is accepted if those before it are, 0 to 1; a token
    that nothing else can stand for has 1.
    """

    tokens: Sequence[int]
    chances: Sequence[float]


NO_DRAFT = Draft((), ())


class Drafter(Protocol):
    """Guesses what sequences go on with."""

    def follow(self, history: History, config: GenerationConfig) -> Any:
        """What it knows of one sequence; it goes when the sequence goes.

        `history` grows, and is never cut.
        """
        ...

    def propose(self, followers: Sequence[Any], most: int, step_seconds: float) -> Sequence[Draft]:
        """For each of these a draft of `most` tokens at most, from its history as it is now.

        A step takes about `step_seconds`; 0 if that is not known.
        """
        ...


class Foresight(Protocol):
    """What a strategy knows of tokens to come, such as those to which a grammar leaves no choice.

    Elsewhere to jump over these is called jump-forward or fast-forward decoding.

    They are computed ahead as drafts are, and the strategy is asked for each in its turn. (Where
    nothing is to be reported of them, it can as well answer with all of them in one choice.)
    """

    def forced(self, history: History, most: int) -> Sequence[int]:
        """The tokens, `most` at most, that the sequence must go on with."""
        ...

    def num_possible(self, history: History, tokens: Sequence[int]) -> int:
        """How many of these tokens, from the first on, it could go on with."""
        ...
