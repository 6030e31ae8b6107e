"""The parts of a beam tree: steps, live beams, candidates, hypotheses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foretell.decoding.strategies.beam_records import SearchEnd
from foretell.outputs import JsonMixin, StopReason

Fate = Literal["kept", "finished", "fell"]
"""What became of a continuation: a live beam, one of the final hypotheses, or neither."""


@dataclass(frozen=True, repr=False)
class BeamCandidate(JsonMixin):
    """A live beam's continuation by one token, and what became of it.

    `logprob` is the token's log-probability as the settings left it, `total` the sum with that of
    the beam. `rank` is that among the step's candidates, 1 for the best, or the first drawn;
    None for a runner-up, which was none of them. `verdict` gives the fate, and why, in words.

    A "kept" one is the next step's live beam number `beam`. A "finished" one is the hypothesis
    number `hypothesis`, both counted from 0. `stop_reason` says why the text ends with the token,
    if it does, and `score` what it was ranked by, if it was.

    Of constrained beams, `bank` says how far the text is with the words, and `is_forced` that it
    was looked at for their sake alone: it has no rank. Of stochastic beams, `perturbed` is `total`
    with its noise, by which they are kept.
    """

    token_id: int
    token: str
    bytes: bytes
    logprob: float
    total: float
    rank: int | None
    fate: Fate
    verdict: str
    beam: int | None = None
    hypothesis: int | None = None
    stop_reason: StopReason | None = None
    score: float | None = None
    bank: int | None = None
    is_forced: bool = False
    perturbed: float | None = None


@dataclass(frozen=True, repr=False)
class LiveBeam(JsonMixin):
    """A continuation of the prompt that the search went on from.

    `total` is the sum of its tokens' log-probabilities. `candidates` are those of its continuations
    that were among the step's candidates, best or first drawn first; then, as a runner-up, its
    likeliest other one, if any is possible. `group` is the beam's, where there are groups.
    """

    text: str
    token_ids: list[int]
    total: float
    candidates: list[BeamCandidate]
    group: int | None = None


@dataclass(frozen=True, repr=False)
class TreeStep(JsonMixin):
    """One step: the live beams, best first, and how many candidates were taken of all of them.

    `num_hypotheses` counts the finished texts that were held after it, at most `num_beams`.
    """

    beams: list[LiveBeam]
    num_candidates: int
    num_hypotheses: int


@dataclass(frozen=True, repr=False)
class BeamHypothesis(JsonMixin):
    """A finished text; `score` is `total / length ** length_penalty`, by which it is ranked.

    `token_ids` are all of its `length` tokens, those of a stop included, which `text` lacks.
    """

    text: str
    token_ids: list[int]
    total: float
    score: float
    stop_reason: StopReason

    @property
    def length(self) -> int:
        """Generated tokens."""
        return len(self.token_ids)


@dataclass(frozen=True, repr=False)
class Revision(JsonMixin):
    """What a candidate has become since its step: another hypothesis, or none any more.

    It is number `index` of the candidates of live beam number `beam` in step number `step`.
    """

    step: int
    beam: int
    index: int
    candidate: BeamCandidate


@dataclass(frozen=True, repr=False)
class GrownStep(JsonMixin):
    """A step of a search that goes on, and what it changed.

    Attributes:
        index: its number, from 0.
        step: its beams, and of each candidate what became of it by now.
        hypotheses: the finished texts that are held after it, best first.
        revised: candidates of earlier steps that it has outdone, or moved to another place.
        end: why the search ends with it, if it does.
    """

    index: int
    step: TreeStep
    hypotheses: list[BeamHypothesis]
    revised: list[Revision]
    end: SearchEnd | None
