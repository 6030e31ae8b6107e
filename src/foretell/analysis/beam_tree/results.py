"""A beam search as data: steps, live beams, candidates, hypotheses."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Literal

from foretell.config import GenerationConfig
from foretell.decoding.strategies.beam_search import SearchEnd
from foretell.errors import RequestError
from foretell.outputs import GenerationOutput, JsonMixin, StopReason

Fate = Literal["kept", "finished", "fell"]
"""What became of a continuation: a live beam, one of the final hypotheses, or neither."""


@dataclass(frozen=True)
class BeamCandidate(JsonMixin):
    """A live beam's continuation by one token, and what became of it.

    `logprob` is the token's log-probability as the settings left it, `total` the sum with that of
    the beam. `rank` is the place among the step's candidates, 1 for the best, or the first drawn;
    None for a runner-up, which was none of them. `verdict` tells the fate, and why, in words.

    A "kept" one is the next step's live beam number `beam`. A "finished" one is the hypothesis
    number `hypothesis`, both counted from 0. `stop_reason` says why the text ends with the token,
    if it does, and `score` what it was ranked by, if it was.
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


@dataclass(frozen=True)
class LiveBeam(JsonMixin):
    """A continuation of the prompt that the search went on from.

    `total` is the sum of its tokens' log-probabilities. `candidates` are those of its continuations
    that were among the step's candidates, best or first drawn first; then, as a runner-up, its
    likeliest other one, if any is possible.
    """

    text: str
    token_ids: list[int]
    total: float
    candidates: list[BeamCandidate]


@dataclass(frozen=True)
class TreeStep(JsonMixin):
    """One step: the live beams, best first, and how many candidates were taken of all of them.

    `num_hypotheses` counts the finished texts that were held after it, at most `num_beams`.
    """

    beams: list[LiveBeam]
    num_candidates: int
    num_hypotheses: int


@dataclass(frozen=True)
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
class BeamTree(JsonMixin):
    """All that a beam search considered; `str()` draws it.

    Attributes:
        prompt, prompt_token_ids: what was continued.
        config: the settings in force, the seed drawn included.
        steps: a token each; counted from 0, as are the beams of a step.
        hypotheses: the finished texts that were left, best first.
        end: why the search ended: nothing went on ("exhausted"), `early_stopping=True` had its
            texts ("enough"), or the best live beam would not outdo the worst of them ("settled").
        outputs: what `generate` gives: the `num_return_sequences` best texts.
    """

    prompt: str
    prompt_token_ids: list[int]
    config: GenerationConfig
    steps: list[TreeStep]
    hypotheses: list[BeamHypothesis]
    end: SearchEnd
    outputs: list[GenerationOutput]

    def why(self, step: int, token: str | int) -> str:
        """What became of a token, by its text or id, in a sentence for each beam that had it.

        RequestError if there is no such step.
        """
        from foretell.analysis.beam_tree.words import sentences

        place = operator.index(step)
        if not 0 <= place < len(self.steps):
            raise RequestError(f"step {step} is out of range: must be 0 to {len(self.steps) - 1}")
        return " ".join(sentences(self.steps[place], token))

    def __str__(self) -> str:
        from foretell.analysis.beam_tree.tables import lines

        return "\n".join(lines(self))

    def __repr__(self) -> str:
        return f"BeamTree({len(self.steps)} steps, {len(self.hypotheses)} hypotheses)"
