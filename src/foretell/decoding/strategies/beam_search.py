"""Beam search: the likeliest few continuations, kept side by side.

Each step looks at every continuation of every live beam, by the sum of its log-probabilities, and
goes on with the best `num_beams` of those that do not end. Those that end are hypotheses, ranked by
sum / length ** length_penalty (Wu et al. 2016, arXiv 1609.08144, with transformers' simpler
penalty). What is kept and when the search ends is as in transformers' `generate`, whose processors
also see log-probabilities, not logits. With sampling, the step's continuations are drawn without
replacement in place of the best ones. A search can report a `BeamStep` after each step.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foretell.config import GenerationConfig
from foretell.config.choices import NEVER
from foretell.decoding.chain import build_chain
from foretell.decoding.context import ChainContext
from foretell.decoding.fused.chain import likeliest, to_log_probabilities
from foretell.decoding.logprobs import TokenReport, report
from foretell.decoding.philox import uniform
from foretell.decoding.processors.base import History
from foretell.decoding.strategies.base import StopCheck
from foretell.outputs import StopReason
from foretell.utils.arrays import Logits

SearchEnd = Literal["exhausted", "enough", "settled"]
"""Why a search ends: nothing goes on, `early_stopping=True` has its `num_beams` hypotheses, or the
best live beam cannot outdo the worst of these.
"""

Rank = tuple[float, float, float, float]
FIRST_STREAM = 16  # of the random numbers; those before are for draws and tosses of one token


@dataclass(frozen=True, eq=False)
class Node:
    """A generated token, and by its parents the continuation that it ends.

    `logprob` is what the token added to the continuation's sum, `total` that sum, `length` the
    number of its tokens. `report` has the token's log-probabilities, where they are asked for.
    """

    parent: Node | None
    token_id: int
    logprob: float
    total: float
    length: int
    report: TokenReport | None = None

    def path(self) -> list[Node]:
        """The continuation's tokens, the first one first."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]


@dataclass(frozen=True)
class Hypothesis:
    """A finished continuation, by its last token; `score` is what it is ranked by."""

    node: Node
    score: float
    reason: StopReason


@dataclass(frozen=True)
class Candidate:
    """A continuation by one token of live beam number `parent`, whose sum was `before`."""

    parent: int
    token_id: int
    logprob: float
    before: float

    @property
    def total(self) -> float:
        """The sum of the continuation's log-probabilities."""
        return self.before + self.logprob


@dataclass(frozen=True)
class Considered:
    """A candidate, and what its step made of it.

    Attributes:
        candidate: the continuation.
        reason: why it ends, if it does.
        hypothesis: what it became, if it ends among the first `num_beams` candidates.
        beam: its number among the next live beams, if it goes on.
    """

    candidate: Candidate
    reason: StopReason | None
    hypothesis: Hypothesis | None
    beam: int | None


@dataclass(frozen=True)
class BeamStep:
    """What one step of a search did.

    Attributes:
        live: the beams that it went on from, best first; None stands for the bare prompt.
        considered: the candidates, best first, or in the order in which they were drawn.
        runners_up: of each live beam the likeliest continuation that is no candidate, if any is
            possible.
        hypotheses: the best finished continuations after it, best first.
        end: why the search ends with it, if it does; then the beams that go on go nowhere.
    """

    live: tuple[Node | None, ...]
    considered: tuple[Considered, ...]
    runners_up: tuple[Candidate, ...]
    hypotheses: tuple[Hypothesis, ...]
    end: SearchEnd | None


@dataclass(frozen=True)
class _Past:
    """A candidate's tokens, for those who ask whether it ends."""

    index: int
    tokens: Sequence[int]
    num_prompt_tokens: int


@dataclass(frozen=True)
class Survivor:
    """A continuation that the search goes on with, from live beam number `parent`."""

    parent: int
    node: Node


class BeamSearch:
    """The search for one prompt.

    Attributes:
        hypotheses: the best finished continuations so far, at most `num_beams`, best first.
        live: the continuations that go on, best first; None stands for the bare prompt.
        is_done: whether no live beam can change the result, or none can go on.

    Args:
        config: the settings in force.
        context: what the processors must know.
        check_stop: when a continuation ends.
        max_new_tokens: most tokens of a continuation.
        on_step: is called with a record of each step, if given.
    """

    def __init__(
        self,
        config: GenerationConfig,
        context: ChainContext,
        check_stop: StopCheck,
        max_new_tokens: int,
        on_step: Callable[[BeamStep], None] | None = None,
    ) -> None:
        self._config = config
        self._num_beams = config.num_beams
        self._stages = build_chain(config, context)
        self._check_stop = check_stop
        self._max_new_tokens = max_new_tokens
        self._on_step = on_step
        self._num_candidates = max(2, 1 + len(context.eos_token_ids)) * self._num_beams
        self._length_penalty = 1.0 if config.length_penalty is None else config.length_penalty
        self._length = 0  # of the live continuations
        self.hypotheses: list[Hypothesis] = []
        self.live: list[Node | None] = [None]
        self.is_done = False

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> list[Survivor]:
        """Take the live beams' rows, which are overwritten; what to go on with, best first.

        Nothing is left to go on with once the search is done.
        """
        raw = None if self._config.logprobs is None else [row.copy() for row in rows]
        for row, history in zip(rows, histories, strict=True):
            self._to_log_probabilities(row, history)
        candidates = self._candidates(rows, len(histories[0].tokens))
        reasons = {candidate: self._reason(candidate, histories) for candidate in candidates}
        self._length += 1
        made = {
            candidate: self._finish(self._node(candidate, raw), reason)
            for candidate, reason in [*reasons.items()][: self._num_beams]
            if reason is not None
        }
        going_on = [candidate for candidate, reason in reasons.items() if reason is None]
        going_on = sorted(going_on, key=_by_total)[: self._num_beams]
        survivors = [Survivor(one.parent, self._node(one, raw)) for one in going_on]
        live, self.live = self.live, [survivor.node for survivor in survivors]
        end = self._end(survivors)
        self.is_done = end is not None
        if self._on_step is not None:
            beams = {candidate: beam for beam, candidate in enumerate(going_on)}
            considered = (
                Considered(one, reason, made.get(one), beams.get(one))
                for one, reason in reasons.items()
            )
            others = _runners_up(rows, live, candidates)
            self._on_step(BeamStep((*live,), (*considered,), (*others,), (*self.hypotheses,), end))
        return [] if self.is_done else survivors

    def _to_log_probabilities(self, row: Logits, history: History) -> None:
        to_log_probabilities(row)
        for stage in self._stages:
            stage.processor(row, history)

    def _candidates(self, rows: Sequence[Logits], position: int) -> list[Candidate]:
        """The step's best continuations, best first, or those drawn, in that order."""
        totals = _totals(self.live)
        if self._config.is_sampling:
            picks = draw(rows, totals, self._num_candidates, self._uniforms(position))
        else:
            picks = _best(rows, totals, self._num_candidates)
        return [
            Candidate(parent, token, float(rows[parent][token]), totals[parent])
            for parent, token in picks
        ]

    def _uniforms(self, position: int) -> Iterator[float]:
        seed = self._config.seed or 0
        return (uniform(seed, 0, position, stream) for stream in itertools.count(FIRST_STREAM))

    def _reason(self, candidate: Candidate, histories: Sequence[History]) -> StopReason | None:
        history = histories[candidate.parent]
        tokens = [*history.tokens, candidate.token_id]
        return self._check_stop(_Past(history.index, tokens, history.num_prompt_tokens))

    def _node(self, candidate: Candidate, raw: Sequence[Logits] | None) -> Node:
        found = None
        if raw is not None:
            found = report(raw[candidate.parent], candidate.token_id, self._config.logprobs or 0)
        return Node(
            self.live[candidate.parent],
            candidate.token_id,
            candidate.logprob,
            candidate.total,
            self._length,
            found,
        )

    def _finish(self, node: Node, reason: StopReason) -> Hypothesis:
        """Rank a continuation that ends among the hypotheses."""
        made = Hypothesis(node, score_of(node.total, node.length, self._length_penalty), reason)
        self.hypotheses.append(made)
        self.hypotheses.sort(key=lambda one: self._rank(one.node), reverse=True)
        del self.hypotheses[self._num_beams :]
        return made

    def _end(self, survivors: Sequence[Survivor]) -> SearchEnd | None:
        if not survivors:
            return "exhausted"
        if self._is_full_early():
            return "enough"
        return None if self._can_improve(survivors[0]) else "settled"

    def _is_full_early(self) -> bool:
        """Whether there are enough hypotheses for a search that stops at the first ones."""
        is_full = len(self.hypotheses) == self._num_beams
        return is_full and self._config.early_stopping is True

    def _can_improve(self, best: Survivor) -> bool:
        """Whether the best live beam could yet outdo the worst hypothesis.

        That is a guess where the length penalty makes scores grow with the length: by the current
        length, or, with early_stopping="never", by the longest one.
        """
        if len(self.hypotheses) < self._num_beams:
            return True
        longest = self._config.early_stopping == NEVER and self._length_penalty > 0
        length = self._max_new_tokens if longest else self._length
        possible = rank_of(best.node.total, length, self._length_penalty)
        return possible > self._rank(self.hypotheses[-1].node)

    def _rank(self, node: Node) -> Rank:
        return rank_of(node.total, node.length, self._length_penalty)


def score_of(total: float, length: int, penalty: float) -> float:
    """total / length ** penalty, for any penalty: 0 or infinite where no float64 holds it."""
    try:
        power = math.pow(length, penalty)
    except OverflowError:
        return math.copysign(0.0, total)
    if power == 0:
        return math.copysign(math.inf, total) if total else 0.0
    return total / power


def rank_of(total: float, length: int, penalty: float) -> Rank:
    """What texts are compared by, the larger the better: the score where a float64 holds it.

    Of scores that it does not hold the sign and the logarithm decide, then the total.
    """
    score = score_of(total, length, penalty)
    if total == 0 or (score != 0 and math.isfinite(score)):
        return (score, 0.0, 0.0, 0.0)
    sign = math.copysign(1.0, total)
    return (score, sign, sign * (math.log(abs(total)) - penalty * math.log(length)), total)


def _by_total(candidate: Candidate) -> float:
    return -candidate.total


def _totals(live: Sequence[Node | None]) -> list[float]:
    return [0.0 if node is None else node.total for node in live]


def _runners_up(
    rows: Sequence[Logits], live: Sequence[Node | None], candidates: Sequence[Candidate]
) -> Iterator[Candidate]:
    """The likeliest possible token of each row that is not among the candidates."""
    for parent, (row, total) in enumerate(zip(rows, _totals(live), strict=True)):
        rest = row.copy()
        rest[[one.token_id for one in candidates if one.parent == parent]] = -np.inf
        token = int(rest.argmax())
        if rest[token] > -np.inf:
            yield Candidate(parent, token, float(row[token]), total)


def _best(rows: Sequence[Logits], totals: Sequence[float], count: int) -> list[tuple[int, int]]:
    """The (row, token) of the largest totals, largest first."""
    found = []
    for parent, (row, total) in enumerate(zip(rows, totals, strict=True)):
        for token in likeliest(row, count).tolist():
            found.append((-(total + float(row[token])), parent, token))
    found.sort()
    return [(parent, token) for total, parent, token in found[:count] if total < math.inf]


def draw(
    rows: Sequence[Logits], totals: Sequence[float], count: int, uniforms: Iterator[float]
) -> list[tuple[int, int]]:
    """(row, token) drawn without replacement by exp(total), in the order of the draws."""
    ids = [np.flatnonzero(row > -np.inf) for row in rows]
    scores = [
        row[few].astype(np.float64) + total
        for row, few, total in zip(rows, ids, totals, strict=True)
    ]
    largest = max(float(score.max()) for score in scores)
    weights = [np.exp(score - largest) for score in scores]
    masses = np.array([weight.sum() for weight in weights])
    picks = []
    for _ in range(min(count, sum(int(np.count_nonzero(weight)) for weight in weights))):
        row = _index(masses, next(uniforms))
        token = _index(weights[row], next(uniforms))
        picks.append((row, int(ids[row][token])))
        weights[row][token] = 0.0
        masses[row] = weights[row].sum()
    return picks


def _index(weights: NDArray[np.float64], uniform: float) -> int:
    """Where the running sum of the weights first exceeds that share of their sum."""
    sums = np.cumsum(weights)
    return int(np.searchsorted(sums, uniform * sums[-1], side="right").clip(max=len(weights) - 1))
