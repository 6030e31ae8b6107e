"""Diverse beams: groups of beams, each held off from what those before it have just said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from foretell.config import GenerationConfig
from foretell.decoding.processors.base import History
from foretell.decoding.processors.diversity import HammingDiversity
from foretell.decoding.strategies.base import StrategyContext
from foretell.decoding.strategies.beam import Search, SearchStrategy
from foretell.decoding.strategies.beam_records import (
    BeamStep,
    Candidate,
    Considered,
    Hypothesis,
    Node,
    Survivor,
)
from foretell.decoding.strategies.beam_search import Reasons
from foretell.decoding.strategies.scored_search import ScoredSearch, stops
from foretell.outputs import StopReason
from foretell.utils.arrays import Logits


class DiverseStrategy(SearchStrategy):
    """Diverse beam search (Vijayakumar et al. 2016, arXiv 1610.02424), as in transformers.

    `num_beam_groups` searches share the beams. In each step a token loses `diversity_penalty` for
    each beam of an earlier group that has just gone on with it.
    """

    @staticmethod
    def suits(config: GenerationConfig, *, is_guided: bool) -> bool:
        """With more than one group of beams."""
        return config.num_beam_groups > 1

    def make_search(self, config: GenerationConfig, context: StrategyContext) -> Search:
        """One search for each group."""
        return DiverseSearch(config, context)


class _Group(ScoredSearch):
    """The search of one group; `made` is the record of its last step, if records are kept."""

    def __init__(self, config: GenerationConfig, context: StrategyContext) -> None:
        self.size = config.num_beams // config.num_beam_groups
        keep = None if context.on_step is None else self._note
        super().__init__(config, replace(context, on_step=keep), self.size)
        self.made: BeamStep | None = None

    def _note(self, step: BeamStep) -> None:
        self.made = step

    def _reasons(self, candidates: Sequence[Candidate], histories: Sequence[History]) -> Reasons:
        """Of all candidates only where steps are recorded: the last ones seldom matter."""
        if self._on_step is not None:
            return super()._reasons(candidates, histories)
        found: dict[Candidate, StopReason | None] = {}
        num_going_on = 0
        for one in candidates:
            if num_going_on == self.size <= len(found):
                break
            reason = found[one] = self._reason(one, histories)
            num_going_on += not stops(reason)
        return found

    def hear(self, said: Sequence[int]) -> None:
        """Take note of the tokens that the beams of earlier groups have just gone on with."""
        for stage in self._stages:
            if isinstance(stage.processor, HammingDiversity):
                stage.processor.hear(said)


class _OfGroup(NamedTuple):
    """A group's record of a step, and how many of its beams go on."""

    number: int
    step: BeamStep
    num_going_on: int


class DiverseSearch:
    """The searches of all groups, which take turns within a step.

    Attributes:
        is_done: whether all groups are.

    Arguments are those of `BeamSearch`; `filling` is the token that each beam of a group counts as
    saying when the group's search has ended: in transformers the pad token, else none.
    """

    def __init__(
        self, config: GenerationConfig, context: StrategyContext, filling: int | None = None
    ) -> None:
        self._on_step = context.on_step
        self._filling = [] if filling is None else [filling]
        self._groups = [_Group(config, context) for _ in range(config.num_beam_groups)]
        self._has_begun = False
        self.is_done = False

    @property
    def live(self) -> list[Node | None]:
        """The continuations that go on, group by group."""
        return [node for group in self._groups if not group.is_done for node in group.live]

    @property
    def hypotheses(self) -> list[Hypothesis]:
        """The finished continuations of all groups, best first."""
        found = [one for group in self._groups for one in group.hypotheses]
        return sorted(found, key=self._groups[0].rank, reverse=True)

    @property
    def lines(self) -> list[int]:
        """The numbers of the live beams: a group keeps its own when others have ended."""
        return [
            number * group.size + place
            for number, group in enumerate(self._groups)
            if not group.is_done
            for place in range(len(group.live))
        ]

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> list[Survivor]:
        """Let each group in turn go on, which hears what those before it have said."""
        said: list[int] = []
        survivors: list[Survivor] = []
        records: list[_OfGroup] = []
        start = 0
        for number, group in enumerate(self._groups):
            if group.is_done:
                said += self._filling * group.size
                continue
            stop = start + len(group.live)
            group.hear(said)
            found = group.step(self._own(rows[start:stop]), histories[start:stop])
            survivors += [Survivor(start + one.parent, one.node) for one in found]
            said += group.said
            if group.made is not None:
                records.append(_OfGroup(number, group.made, len(found)))
            start = stop if self._has_begun else 0  # they begin with one row, the prompt's
        self._has_begun = True
        self.is_done = all(group.is_done for group in self._groups)
        if self._on_step is not None:
            self._on_step(self._joined(records))
        return survivors

    def _own(self, rows: Sequence[Logits]) -> Sequence[Logits]:
        """Rows that a group may overwrite."""
        return rows if self._has_begun else [row.copy() for row in rows]

    def _joined(self, records: Sequence[_OfGroup]) -> BeamStep:
        """The records of the groups as one, beams numbered throughout."""
        live: list[Node | None] = []
        considered: list[Considered] = []
        runners_up: list[Candidate] = []
        groups: list[int] = []
        num_beams = 0  # of the next step, so far
        for number, step, num_going_on in records:
            first = len(live)
            considered += [_moved(one, first, num_beams) for one in step.considered]
            runners_up += [replace(one, parent=one.parent + first) for one in step.runners_up]
            live += step.live
            groups += [number] * len(step.live)
            num_beams += num_going_on
        end = records[-1].step.end if self.is_done else None
        return BeamStep(
            (*live,), (*considered,), (*runners_up,), (*self.hypotheses,), end, (*groups,)
        )


def _moved(one: Considered, first: int, num_beams: int) -> Considered:
    """The same, where so many live beams, and so many of the next step's, stand before."""
    candidate = replace(one.candidate, parent=one.candidate.parent + first)
    beam = None if one.beam is None else one.beam + num_beams
    return replace(one, candidate=candidate, beam=beam)
