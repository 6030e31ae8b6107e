"""Beam search: the likeliest few continuations, kept side by side.

Each step looks at every continuation of every live beam, by the sum of its log-probabilities, and
goes on with the best `num_beams` of those that do not end. Those that end are hypotheses, ranked by
sum / length ** length_penalty (Wu et al. 2016, arXiv 1609.08144, with transformers' simpler
penalty). What is kept and when the search ends is as in transformers' `generate`, whose processors
also see log-probabilities, not logits. With sampling, the step's continuations are drawn without
replacement in place of the best ones. A search can report a `BeamStep` after each step.

The searches that are kin to it decide otherwise what becomes of a step's candidates.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.config import GenerationConfig
from foretell.decoding.chain import build_chain
from foretell.decoding.fused.chain import likeliest, to_log_probabilities
from foretell.decoding.fused.elementary import exp
from foretell.decoding.logprobs import report
from foretell.decoding.philox import uniform
from foretell.decoding.processors.base import History
from foretell.decoding.strategies.base import StrategyContext
from foretell.decoding.strategies.beam_records import (
    BeamStep,
    Candidate,
    Considered,
    Hypothesis,
    Node,
    SearchEnd,
    Survivor,
)
from foretell.decoding.strategies.hypotheses import Hypotheses, Rank
from foretell.outputs import StopReason
from foretell.utils.arrays import Logits

FIRST_STREAM = 16  # of the random numbers; those before are for draws and tosses of one token

Reasons = Mapping[Candidate, StopReason | None]
"""A step's candidates, in their order, and why each ends, if it does."""


@dataclass(frozen=True)
class _Past:
    """A candidate's tokens, for those who ask whether it ends."""

    index: int
    tokens: Sequence[int]
    num_prompt_tokens: int


@dataclass(frozen=True)
class Decision:
    """What a step makes of its candidates.

    Attributes:
        reasons: all of them, in the order in which they are told.
        made: those that have become hypotheses.
        going_on: those that go on, in the order of the next live beams.
        end: why the search ends with the step, if it does.
    """

    reasons: Reasons
    made: Mapping[Candidate, Hypothesis]
    going_on: Sequence[Candidate]
    end: SearchEnd | None


class BeamSearch:
    """The search for one prompt.

    Attributes:
        live: the continuations that go on, best first; None stands for the bare prompt.
        is_done: whether no live beam can change the result, or none can go on.

    Args:
        config: the settings in force.
        context: what it may know beside them; `on_step` is called with a `BeamStep`, if given.
        num_beams: other than the settings', of one group of a search.
    """

    def __init__(
        self, config: GenerationConfig, context: StrategyContext, num_beams: int | None = None
    ) -> None:
        ends = context.chain.eos_token_ids
        self._config = config
        self._num_beams = config.num_beams if num_beams is None else num_beams
        self._stages = build_chain(config, context.chain)
        self._check_stop = context.check_stop
        self._on_step = context.on_step
        self._num_candidates = max(2, 1 + len(ends)) * self._num_beams
        self._finished = Hypotheses(config, self._num_beams, context.max_new_tokens)
        self._length = 0  # of the live continuations, and in a step of its candidates
        self.live: list[Node | None] = [None]
        self.is_done = False

    def rank(self, one: Hypothesis) -> Rank:
        """What finished continuations are compared by, the larger the better."""
        return self._finished.rank(one)

    @property
    def hypotheses(self) -> list[Hypothesis]:
        """The best finished continuations so far, best first: at most `num_beams` as a rule."""
        return self._finished.held

    @property
    def lines(self) -> Sequence[int]:
        """The numbers of the live beams."""
        return range(len(self.live))

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> list[Survivor]:
        """Take the live beams' rows, which are overwritten; what to go on with, best first.

        Nothing is left to go on with once the search is done.
        """
        raw = None if self._config.logprobs is None else [row.copy() for row in rows]
        for row, history in zip(rows, histories, strict=True):
            self._to_log_probabilities(row, history)
        self._length += 1
        decided = self._decide(rows, histories, raw)
        survivors = [Survivor(one.parent, self._node(one, raw)) for one in decided.going_on]
        live, self.live = self.live, [survivor.node for survivor in survivors]
        self.is_done = decided.end is not None
        if self._on_step is not None:
            self._on_step(self._record(rows, live, decided))
        return [] if self.is_done else survivors

    def _to_log_probabilities(self, row: Logits, history: History) -> None:
        to_log_probabilities(row)
        for stage in self._stages:
            stage.processor(row, history)

    def _decide(
        self,
        rows: Sequence[Logits],
        histories: Sequence[History],
        raw: Sequence[Logits] | None,
    ) -> Decision:
        """What becomes of the candidates, whose length is counted already."""
        candidates = self._candidates(rows, len(histories[0].tokens))
        reasons = {candidate: self._reason(candidate, histories) for candidate in candidates}
        made = {
            candidate: self._finished.add(self._node(candidate, raw), reason)
            for candidate, reason in [*reasons.items()][: self._num_beams]
            if reason is not None
        }
        going_on = [candidate for candidate, reason in reasons.items() if reason is None]
        going_on = sorted(going_on, key=_by_total)[: self._num_beams]
        end: SearchEnd | None = "exhausted"
        if going_on:
            end = self._finished.end(going_on[0].total, self._length)
        return Decision(reasons, made, going_on, end)

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
            candidate.perturbed,
        )

    def _record(
        self, rows: Sequence[Logits], live: Sequence[Node | None], decided: Decision
    ) -> BeamStep:
        beams = {candidate: beam for beam, candidate in enumerate(decided.going_on)}
        is_over = decided.end is not None
        considered = (
            Considered(one, reason, decided.made.get(one), beams.get(one), is_over)
            for one, reason in decided.reasons.items()
        )
        others = self._runners_up(rows, live, [*decided.reasons])
        return BeamStep((*live,), (*considered,), (*others,), (*self.hypotheses,), decided.end)

    def _runners_up(
        self, rows: Sequence[Logits], live: Sequence[Node | None], candidates: Sequence[Candidate]
    ) -> Iterator[Candidate]:
        """The likeliest possible token of each row that is not among the candidates."""
        for parent, (row, total) in enumerate(zip(rows, _totals(live), strict=True)):
            rest = row.copy()
            rest[[one.token_id for one in candidates if one.parent == parent]] = -np.inf
            token = int(rest.argmax())
            if rest[token] > -np.inf:
                yield Candidate(parent, token, float(row[token]), total)


def _by_total(candidate: Candidate) -> float:
    return -candidate.total


def _totals(live: Sequence[Node | None]) -> list[float]:
    return [0.0 if node is None else node.total for node in live]


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
    weights = [exp(score - largest) for score in scores]
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
