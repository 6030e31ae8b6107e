"""Beam search as a strategy: sequences are live beams, samples are texts.

A token is emitted as soon as all texts that may yet be returned have it in its place.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from foretell.config import GenerationConfig
from foretell.decoding.processors.base import History
from foretell.decoding.strategies.base import (
    Choice,
    Choices,
    ChosenToken,
    ConfiguredStrategy,
    SampleToken,
    StrategyContext,
)
from foretell.decoding.strategies.beam_records import Hypothesis, Node, Survivor
from foretell.decoding.strategies.beam_search import BeamSearch
from foretell.errors import RequestError
from foretell.utils.arrays import Logits
from foretell.utils.display import count


class Search(Protocol):
    """What decides which continuations of a prompt go on, and which texts are found."""

    is_done: bool

    @property
    def live(self) -> Sequence[Node | None]:
        """The continuations that go on; None stands for the bare prompt."""
        ...

    @property
    def hypotheses(self) -> Sequence[Hypothesis]:
        """The finished continuations that are held, best first."""
        ...

    @property
    def lines(self) -> Sequence[int]:
        """Of each live continuation the number of its beam: its place, or that in its group."""
        ...

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> Sequence[Survivor]:
        """Take the live beams' rows, which are overwritten; what to go on with."""
        ...


class SearchStrategy(ConfiguredStrategy):
    """Runs one search; its best texts are the request's samples, best first.

    Its record of a step is a `BeamStep`.
    """

    emits = True
    counted_by = "num_beams"

    def __init__(self, config: GenerationConfig, context: StrategyContext) -> None:
        self._search = self.make_search(config, context)
        self._num_samples = config.num_return_sequences
        self._emitted: list[Node | None] = [None] * self._num_samples  # the last one of each
        self._meeting = Meeting()

    @abstractmethod
    def make_search(self, config: GenerationConfig, context: StrategyContext) -> Search:
        """The search of this kind."""

    @staticmethod
    def num_sequences(config: GenerationConfig) -> int:
        """One a beam."""
        return config.num_beams

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> Choices:
        """Go on with the best continuations; with none once the search is done.

        What is emitted is what all texts agree on, and with the end of the search the rest of each.
        Raises RequestError if the search ends with fewer texts than were asked for.
        """
        survivors = self._search.step(rows, histories)
        choices = [Choice(one.parent, (ChosenToken(one.node.token_id),)) for one in survivors]
        return Choices(choices, self._found() if self._search.is_done else self._agreed())

    @property
    def lines(self) -> Sequence[int]:
        """The numbers of the live beams; at the beginning one for each group."""
        return self._search.lines

    def _found(self) -> list[SampleToken]:
        found = self._search.hypotheses[: self._num_samples]
        if len(found) < self._num_samples:
            raise RequestError(self.too_few(len(found)))
        return [
            token
            for sample, hypothesis in enumerate(found)
            for token in self._rest(sample, hypothesis)
        ]

    def too_few(self, number: int) -> str:
        """Says that only so many texts were found."""
        found = count(number, "possible text")
        return f"num_return_sequences={self._num_samples}: the search found {found}"

    def _agreed(self) -> list[SampleToken]:
        """The tokens that are certain by now, of each sample."""
        return self._emit([self.agreed_node()] * self._num_samples)

    def agreed_node(self) -> Node | None:
        """The last token that all texts have which may yet be returned."""
        ended = [one.node for one in self._search.hypotheses]
        return self._meeting.of([*self._search.live, *ended])

    def _emit(self, nodes: list[Node | None]) -> list[SampleToken]:
        """The samples' tokens up to these nodes, one for each, a token of all at a time."""
        paths = [_after(start, end) for start, end in zip(self._emitted, nodes, strict=True)]
        self._emitted = nodes
        return [
            SampleToken(sample, _token(path[place]))
            for place in range(max(map(len, paths)))
            for sample, path in enumerate(paths)
            if place < len(path)
        ]

    def _rest(self, sample: int, hypothesis: Hypothesis) -> list[SampleToken]:
        *path, last = _after(self._emitted[sample], hypothesis.node)
        return [
            *(SampleToken(sample, _token(node)) for node in path),
            self._last(sample, hypothesis, _token(last)),
        ]

    def _last(self, sample: int, hypothesis: Hypothesis, token: ChosenToken) -> SampleToken:
        """A sample's last token, with what is to be told of the whole text."""
        return SampleToken(sample, token, hypothesis.reason, hypothesis.score)


class BeamStrategy(SearchStrategy):
    """Beam search: the best `num_beams` continuations of all go on."""

    @staticmethod
    def suits(config: GenerationConfig, *, is_guided: bool) -> bool:
        """With more than one beam."""
        return config.num_beams > 1

    def make_search(self, config: GenerationConfig, context: StrategyContext) -> Search:
        """One search of all beams."""
        return BeamSearch(config, context)


def _token(node: Node) -> ChosenToken:
    return ChosenToken(node.token_id, {} if node.report is None else {"raw": node.report})


class Meeting:
    """Where the ways to a search's ends part; they are given step by step.

    As long as two ends descend from different children of that node, it stays. So it is enough to
    know of each end the child that it descends from, which it has from its parent.
    """

    def __init__(self) -> None:
        self._node: Node | None = None
        self._children: dict[Node | None, Node | None] = {}

    def of(self, ends: Sequence[Node | None]) -> Node | None:
        """The last node that is on the way to all of these, which descend from the last ones."""
        self._children = {end: self._child(end) for end in ends}
        if len({*self._children.values()}) == 1:
            self._node = _common(ends)
            self._children = {end: _child_of(self._node, end) for end in ends}
        return self._node

    def _child(self, end: Node | None) -> Node | None:
        """The child of the node that an end descends from, or is."""
        if end is None or end in self._children:
            return self._children.get(end)
        return end if end.parent is self._node else self._children.get(end.parent)


def _common(ends: Sequence[Node | None]) -> Node | None:
    """The last node that is on the way to all of these."""
    nodes = {*ends}
    while len(nodes) > 1:
        longest = max(node.length for node in nodes if node is not None)
        nodes = {
            node.parent if node is not None and node.length == longest else node for node in nodes
        }
    return nodes.pop()


def _child_of(start: Node | None, end: Node | None) -> Node | None:
    """The node behind `start` on the way to `end`; None if it is that itself."""
    path = _after(start, end)
    return path[0] if path else None


def _after(start: Node | None, end: Node | None) -> list[Node]:
    """The nodes behind `start` up to `end`, which descends from it."""
    path: list[Node] = []
    while end is not None and end is not start:
        path.append(end)
        end = end.parent
    return path[::-1]
