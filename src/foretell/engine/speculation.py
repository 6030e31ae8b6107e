"""How many guessed tokens a step computes: as many as are likely to pay.

    drafts, each token with its chance  →  those whose chance is worth what a row costs

A row costs little where a step is spent on reading weights, and more the more rows there are. So of
several sequences only what is nearly certain is computed, and of many nothing: load switches
guessing off. What steps cost is measured as they go by; it decides how much is guessed, and never
what comes of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Items
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

from foretell.decoding.drafts.base import MAX_DRAFT, NO_DRAFT, Draft, Drafter
from foretell.engine.request_state import RequestState
from foretell.engine.step_plan import Span

MAX_ROWS = 32  # of a step that has guesses
MAX_FORCED = 64  # tokens that a strategy is asked for at once

# The cost of n rows is 1 + slope · (FIRST · (n - 1) + FURTHER · (n - 1)²), in that of a single one;
# a slope of 1 is what two models of 135 and 270 million weights were found to have on two cores.
FIRST, FURTHER = 0.07, 0.009
EXCESS = tuple(FIRST * (rows - 1) + FURTHER * (rows - 1) ** 2 for rows in range(MAX_ROWS + 2))
STEPS = tuple(more - less for less, more in pairwise(EXCESS))  # of one more row, by the rows
MIN_SLOPE, MAX_SLOPE = 0.1, 4.0
LEARNING, LEAST_SPREAD, MAX_SURPRISE = 0.05, 0.05, 0.7


class StepCosts:
    """What steps of so many rows cost, learnt from steps that follow each other.

    Attributes:
        slope: by how much more a further row costs than EXCESS says.
    """

    def __init__(self) -> None:
        self.slope = 1.0

    def note(self, rows: tuple[int, int], seconds: tuple[float, float]) -> None:
        """Two steps of decoding that followed each other had so many rows, and took so long.

        What slows both, such as a long context or another process, says nothing.
        """
        if not all(seconds):
            return
        before, after = (1 + self.slope * EXCESS[number] for number in rows)
        surprise = math.log(seconds[1] / seconds[0] * before / after)
        surprise = max(-MAX_SURPRISE, min(MAX_SURPRISE, surprise))
        spread = 1 / before - 1 / after  # what the cost's logarithm changes by the slope's
        change = LEARNING * surprise * spread / (spread * spread + LEAST_SPREAD)
        self.slope = max(MIN_SLOPE, min(MAX_SLOPE, self.slope * math.exp(change)))


@dataclass
class Guess:
    """A sample's draft.

    Attributes:
        spans: by its number in the step, its sequence's span, or with guidance those of both.
        draft: what it may go on with.
        count: how many of these tokens are computed.
    """

    spans: list[int]
    draft: Draft
    count: int = 0

    @property
    def tokens(self) -> Items[int]:
        """Those that are computed."""
        return self.draft.tokens[: self.count]

    @property
    def chance(self) -> float:
        """How probable it is that the next token, too, is accepted; 0 where there is none."""
        if self.count == len(self.draft.tokens):
            return 0.0
        return math.prod(self.draft.chances[: self.count + 1])


class Speculator:
    """Asks what is foreseen and guessed, and chooses from it.

    Args:
        drafter: guesses for all requests; None: nothing is guessed, and only what strategies
            foresee is computed ahead.
        off: why nothing is computed ahead, whatever the request; None where it may be.

    Attributes:
        guesses: whether there is a drafter.
        seconds: what the last step took, to be set before the next.
    """

    def __init__(self, drafter: Drafter | None = None, off: str | None = None) -> None:
        self._drafter = drafter
        self._off = off
        self._costs = StepCosts()
        self._rows_before = self._rows = 0  # of the last two steps, if these only decoded
        self._seconds_before = 0.0
        self.guesses = drafter is not None
        self.seconds = 0.0

    def follow(self, state: RequestState) -> None:
        """Take note of a request: nothing is computed ahead of some."""
        state.speculation_off = self._off or state.request.speculation_off
        if self._drafter is not None and state.speculation_off is None:
            (first, *_), config = state.live, state.request.config
            first.follower = self._drafter.follow(first, config)

    def choose(self, spans: Items[Span], most_tokens: int) -> list[Guess]:
        """What is to be computed behind some of a step's spans, which go on by a token each.

        Args:
            spans: what the step computes in any case.
            most_tokens: of the step.
        """
        if self._rows and self._rows_before and self._rows != self._rows_before:
            self._costs.note((self._rows_before, self._rows), (self._seconds_before, self.seconds))
        self._rows_before, self._seconds_before = self._rows, self.seconds
        rows = sum([span.stop - span.start for span in spans])
        self._rows = rows if rows == len(spans) and rows <= MAX_ROWS else 0
        slope = self._costs.slope
        # as in `_price`: no token has a better chance than 1
        may_pay = rows < MAX_ROWS and slope * STEPS[rows] * len(spans) < 1 + slope * EXCESS[rows]
        drafts = self._ask(spans) if self._drafter is not None and may_pay else {}
        if not drafts and not any(map(_foresight_of, spans)):
            return []
        guesses = self._guesses(spans, drafts)
        return self._affordable(guesses, rows, len(spans), most_tokens - rows) if guesses else []

    def _ask(self, spans: Items[Span]) -> dict[int, Draft]:
        """The drafts of those sequences that have any, by their spans' numbers."""
        drafter = self._drafter
        assert drafter is not None
        numbers, followers = [], []
        for number, span in enumerate(spans):
            sequence = span.sequence
            is_last = span.num_rows == 1 and span.stop > sequence.num_prompt_tokens
            if not is_last or span.state.speculation_off is not None or not sequence.is_visible:
                continue
            if sequence.follower is None:
                sequence.follower = drafter.follow(sequence, span.state.request.config)
            numbers.append(number)
            followers.append(sequence.follower)
        proposed = drafter.propose(followers, MAX_DRAFT, self.seconds)
        drafts = zip(numbers, proposed, strict=True)
        return {number: draft for number, draft in drafts if draft.tokens}

    def _guesses(self, spans: Items[Span], drafts: dict[int, Draft]) -> list[Guess]:
        guesses = []
        for numbers in _samples(spans):
            draft = _possible(spans[numbers[0]], drafts.get(numbers[0], NO_DRAFT))
            if draft.tokens:
                guesses.append(Guess(numbers, draft))
        return guesses

    def _affordable(self, guesses: list[Guess], rows: int, gain: float, room: int) -> list[Guess]:
        """The best tokens, one after another, as long as the next makes steps give more a second.

        A step of cost C that gives E tokens is the better for a row of chance p and cost c if
        (E + p) / (C + c) > E / C.
        """
        gain -= sum([len(guess.spans) - 1 for guess in guesses])
        while True:
            guess = max(guesses, key=lambda one: one.chance / len(one.spans))
            chance, width = guess.chance, len(guess.spans)
            if not chance or width > room:
                break
            pays = rows + width <= MAX_ROWS and chance > self._price(rows, width) * gain
            if not pays and chance < 1.0:
                break
            guess.count += 1
            rows, room, gain = rows + width, room - width, gain + chance
        if self._rows:
            self._rows = rows if rows <= MAX_ROWS else 0
        return [guess for guess in guesses if guess.count]

    def _price(self, rows: int, width: int) -> float:
        """What `width` more rows cost, in that of the step."""
        slope = self._costs.slope
        return slope * (EXCESS[rows + width] - EXCESS[rows]) / (1 + slope * EXCESS[rows])


_foresight_of = attrgetter("state.strategy.foresight")


def _samples(spans: Items[Span]) -> list[list[int]]:
    """The spans of each sample that may be drafted, by their numbers, the one that is seen first.

    All sequences of its request must get to their next token in this step.
    """
    by_state: dict[RequestState, list[int]] = {}
    for number, span in enumerate(spans):
        is_last = span.num_rows == 1 and span.stop > span.sequence.num_prompt_tokens
        if is_last and span.state.speculation_off is None:
            by_state.setdefault(span.state, []).append(number)
    samples: dict[tuple[int, int], list[int]] = {}
    for state, numbers in by_state.items():
        if len(numbers) == len(state.live):
            for number in numbers:
                samples.setdefault((state.id, spans[number].sequence.index), []).append(number)
    return [
        sorted(numbers, key=lambda number: not spans[number].sequence.is_visible)
        for numbers in samples.values()
    ]


def _possible(span: Span, draft: Draft) -> Draft:
    """The draft as the strategy lets it be: behind what is forced, without what is impossible."""
    state, sequence = span.state, span.sequence
    most = state.max_length - len(sequence.tokens) - 1
    tokens, chances = [*draft.tokens[: max(0, most)]], [*draft.chances[: max(0, most)]]
    foresight = state.strategy.foresight
    if foresight is not None and most > 0:
        forced = [*foresight.forced(sequence, min(most, MAX_FORCED))]
        size = len(forced)
        is_begun = tokens[:size] == forced
        tokens = forced + (tokens[size:] if is_begun else [])
        chances = [1.0] * size + (chances[size:] if is_begun else [])
        possible = foresight.num_possible(sequence, tokens)
        tokens, chances = tokens[:possible], chances[:possible]
    return Draft(tokens, chances)
