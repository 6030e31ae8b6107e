"""What a search is made of: continuations, candidates, finished texts, and the record of a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foretell.decoding.logprobs import TokenReport
from foretell.outputs import StopReason

SearchEnd = Literal["exhausted", "enough", "settled"]
"""Why a search ends: nothing goes on, `early_stopping=True` or `patience` has its hypotheses, or
the best live beam cannot outdo the worst of these.
"""


@dataclass(frozen=True, eq=False)
class Node:
    """A generated token, and by its parents the continuation that it ends.

    `logprob` is what the token added to the continuation's sum, `total` that sum, `length` the
    number of its tokens. `report` has the token's log-probabilities, where they are asked for.
    `perturbed` is the sum with its Gumbel noise, in a search that draws.
    """

    parent: Node | None
    token_id: int
    logprob: float
    total: float
    length: int
    report: TokenReport | None = None
    perturbed: float | None = None

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


@dataclass(frozen=True, eq=False)
class Candidate:
    """A continuation by one token of live beam number `parent`, whose sum was `before`.

    Of a search for words `bank` says how far it has come with them, and `is_forced` whether it is
    looked at for their sake alone. `perturbed` is as in `Node`.
    """

    parent: int
    token_id: int
    logprob: float
    before: float
    bank: int | None = None
    is_forced: bool = False
    perturbed: float | None = None

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
        is_over: whether the search, or its group's, ends with the step, so that nothing goes on.
    """

    candidate: Candidate
    reason: StopReason | None
    hypothesis: Hypothesis | None
    beam: int | None
    is_over: bool = False


@dataclass(frozen=True)
class BeamStep:
    """What one step of a search did.

    Attributes:
        live: the beams that it went on from, best first; None stands for the bare prompt. Where
            there are groups, those of one group after those of another.
        considered: the candidates, best first, or in the order in which they were drawn.
        runners_up: of each live beam the likeliest continuation that is no candidate, if any is
            possible.
        hypotheses: the best finished continuations after it, best first.
        end: why the search ends with it, if it does; then the beams that go on go nowhere.
        groups: of each live beam the number of its group; empty where there are none.
    """

    live: tuple[Node | None, ...]
    considered: tuple[Considered, ...]
    runners_up: tuple[Candidate, ...]
    hypotheses: tuple[Hypothesis, ...]
    end: SearchEnd | None
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Survivor:
    """A continuation that the search goes on with, from live beam number `parent`."""

    parent: int
    node: Node
