"""Beam search as a strategy: sequences are live beams, samples are texts.

A token is emitted as soon as all texts that may yet be returned have it in its place.
"""

from __future__ import annotations

from collections.abc import Sequence

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
from foretell.decoding.strategies.beam_search import BeamSearch, Hypothesis, Node
from foretell.errors import RequestError
from foretell.utils.arrays import Logits
from foretell.utils.display import count


class BeamStrategy(ConfiguredStrategy):
    """Runs one `BeamSearch`; its best texts are the request's samples, best first.

    Its record of a step is a `BeamStep`.
    """

    emits = True
    counted_by = "num_beams"

    def __init__(self, config: GenerationConfig, context: StrategyContext) -> None:
        max_new_tokens = (context.chain.max_length or 0) - context.num_prompt_tokens
        self._search = BeamSearch(
            config, context.chain, context.check_stop, max_new_tokens, context.on_step
        )
        self._num_samples = config.num_return_sequences
        self._agreed_to: Node | None = None

    @staticmethod
    def suits(config: GenerationConfig, *, is_guided: bool) -> bool:
        """With more than one beam."""
        return config.num_beams > 1

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

    def _found(self) -> list[SampleToken]:
        found = self._search.hypotheses[: self._num_samples]
        if len(found) < self._num_samples:
            raise RequestError(
                f"num_return_sequences={self._num_samples}: the search found "
                f"{count(len(found), 'possible text')}"
            )
        return [
            token
            for sample, hypothesis in enumerate(found)
            for token in self._rest(sample, hypothesis)
        ]

    def _agreed(self) -> list[SampleToken]:
        agreed = _common([*self._search.live, *(one.node for one in self._search.hypotheses)])
        path = _after(self._agreed_to, agreed)
        self._agreed_to = agreed
        return [
            SampleToken(sample, _token(node))
            for node in path
            for sample in range(self._num_samples)
        ]

    def _rest(self, sample: int, hypothesis: Hypothesis) -> list[SampleToken]:
        *path, last = _after(self._agreed_to, hypothesis.node)
        return [
            *(SampleToken(sample, _token(node)) for node in path),
            SampleToken(sample, _token(last), hypothesis.reason, hypothesis.score),
        ]


def _token(node: Node) -> ChosenToken:
    return ChosenToken(node.token_id, {} if node.report is None else {"raw": node.report})


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
