"""Beam search as a strategy: sequences are live beams, samples are texts.

A token is said as soon as all texts that may yet be returned have it in its place.
"""

from __future__ import annotations

from collections.abc import Sequence

from foretell.config import GenerationConfig
from foretell.decoding.beams import BeamSearch, Check, Hypothesis, Node, Watch
from foretell.decoding.context import ChainContext
from foretell.decoding.processors.base import History
from foretell.decoding.strategies import Choice, SampleToken
from foretell.errors import RequestError
from foretell.utils.arrays import Logits


class BeamStrategy:
    """Runs one `BeamSearch`; its best texts are the request's samples, best first.

    Who watches is told of each step of the search.
    """

    generates = True
    speaks = True

    def __init__(
        self,
        config: GenerationConfig,
        context: ChainContext,
        check: Check,
        max_new_tokens: int,
        watch: Watch | None = None,
    ) -> None:
        self._search = BeamSearch(config, context, check, max_new_tokens, watch)
        self._num_samples = config.num_return_sequences
        self._certain: Node | None = None

    def choose(self, rows: Sequence[Logits], histories: Sequence[History]) -> list[Choice]:
        """Go on with the best continuations; with none once the search is done."""
        survivors = self._search.step(rows, histories)
        return [Choice(survivor.parent, survivor.node.token_id) for survivor in survivors]

    def plan(self, rows: Sequence[Logits], histories: Sequence[History]) -> None:
        """Never: beams choose among each other's tokens."""

    def said(self) -> list[SampleToken]:
        """What all texts agree on; with the end of the search, the rest of each.

        Raises RequestError if the search ended with fewer texts than were asked for.
        """
        if not self._search.is_done:
            return self._agreed()
        found = self._search.hypotheses[: self._num_samples]
        if len(found) < self._num_samples:
            raise RequestError(
                f"num_return_sequences={self._num_samples}: the search found "
                f"{len(found)} possible texts"
            )
        return [
            said
            for sample, hypothesis in enumerate(found)
            for said in self._rest(sample, hypothesis)
        ]

    def _agreed(self) -> list[SampleToken]:
        ends = [*self._search.live, *(one.node for one in self._search.hypotheses)]
        agreed = _common(ends)
        path = _after(self._certain, agreed)
        self._certain = agreed
        return [_said(sample, node) for node in path for sample in range(self._num_samples)]

    def _rest(self, sample: int, hypothesis: Hypothesis) -> list[SampleToken]:
        *path, last = _after(self._certain, hypothesis.node)
        said = [_said(sample, node) for node in path]
        end = _said(sample, last)
        return [
            *said,
            SampleToken(sample, end.token_id, end.reports, hypothesis.reason, hypothesis.score),
        ]


def _said(sample: int, node: Node) -> SampleToken:
    return SampleToken(sample, node.token_id, {} if node.report is None else {"raw": node.report})


def _common(ends: Sequence[Node | None]) -> Node | None:
    """The last node that is on the way to all of these."""
    nodes = {*ends}
    while len(nodes) > 1:
        longest = max(nodes, key=lambda node: 0 if node is None else node.length)
        nodes.remove(longest)
        nodes.add(None if longest is None else longest.parent)
    return nodes.pop()


def _after(start: Node | None, end: Node | None) -> list[Node]:
    """The nodes behind `start` up to `end`, which descends from it."""
    path: list[Node] = []
    while end is not None and end is not start:
        path.append(end)
        end = end.parent
    return path[::-1]
