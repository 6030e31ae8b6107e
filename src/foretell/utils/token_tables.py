"""Tokens and their probabilities in columns of plain text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from foretell.utils.display import COLUMNS, pad, show_probability, show_token, width_of

EIGHTHS = " ▏▎▍▌▋▊▉"
MAX_LABEL = 24  # columns for a token
MAX_COLUMNS = 100


@dataclass(frozen=True)
class Look:
    """How lines look: at most so many terminal columns; what colours bars, and dims the rest."""

    columns: int = COLUMNS
    colour: Callable[[str], str] = str
    dim: Callable[[str], str] = str


PLAIN = Look()


class Candidate(Protocol):
    """A token that may come next: a `NextToken`."""

    @property
    def token(self) -> str:
        """The token as people read it."""
        ...

    @property
    def probability(self) -> float:
        """By the raw model."""
        ...

    @property
    def final_probability(self) -> float:
        """By the settings."""
        ...


class ScoredToken(Protocol):
    """A token and how probable it was: a `TokenLogprob`."""

    @property
    def token(self) -> str:
        """The token as people read it."""
        ...

    @property
    def logprob(self) -> float | None:
        """None where the model gives none."""
        ...

    @property
    def rank(self) -> int | None:
        """1 for the most probable token."""
        ...

    @property
    def top(self) -> Sequence[ScoredToken]:
        """The likeliest in its place."""
        ...


def bar(share: float, columns: int) -> str:
    """A bar as long as `share`, 0 to 1, of the columns, to an eighth of a column."""
    eighths = round(share * columns * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + EIGHTHS[rest]).rstrip()


def candidate_lines(
    tokens: Sequence[Candidate], *, samples: bool, look: Look = PLAIN
) -> Iterator[str]:
    """Tokens and their probabilities with bars, a token a line.

    If `samples`, the raw probability is followed by what the settings make of it, and the bar shows
    the latter.
    """
    labels = [show_token(token.token) for token in tokens]
    shown = [token.final_probability if samples else token.probability for token in tokens]
    label_columns = min(MAX_LABEL, max(map(width_of, labels)))
    bar_columns = max(10, min(look.columns, MAX_COLUMNS) - label_columns - 24)
    longest = max(shown)
    for label, token, share in zip(labels, tokens, shown, strict=True):
        figures = f"{show_probability(token.probability):>7}"
        if samples:
            figures += f" → {show_probability(share):>7}" if share else f" → {'cut':>7}"
        drawn = bar(share / longest if longest else 0.0, bar_columns)
        line = f"  {pad(label, label_columns)}  {figures}"
        yield f"{line}  {look.colour(drawn)}" if drawn else line


def scored_lines(
    tokens: Sequence[ScoredToken], total: float, *, look: Look = PLAIN
) -> Iterator[str]:
    """A table of tokens, their log-probabilities and ranks; at its foot the sum `total`."""
    labels = [show_token(token.token) for token in tokens]
    likeliest = [[f"  {show_token(other.token)}" for other in token.top] for token in tokens]
    columns = min(MAX_LABEL, max(map(width_of, ["  token", *labels, *chain(*likeliest)])))
    yield f"  {'token':<{columns}}  {'logprob':>9}  {'P':>8}  {'rank':>6}"
    for label, others, token in zip(labels, likeliest, tokens, strict=True):
        yield f"  {pad(label, columns)}  {_figures(token)}".rstrip()
        for label_of_other, other in zip(others, token.top, strict=True):
            yield look.dim(f"  {pad(label_of_other, columns)}  {_figures(other)}")
    yield f"  {pad('sum', columns)}  {total:9.3f}"


def _figures(token: ScoredToken) -> str:
    if token.logprob is None:
        return f"{'-':>9}"
    return f"{token.logprob:9.3f}  {show_probability(math.exp(token.logprob)):>8}  {token.rank:6}"
