"""A beam tree as it grows, from the records of a search: ids become texts, fates are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from foretell.analysis.beam_tree import words
from foretell.analysis.beam_tree.results import (
    BeamCandidate,
    BeamHypothesis,
    GrownStep,
    LiveBeam,
    Revision,
    TreeStep,
)
from foretell.config import GenerationConfig
from foretell.decoding.strategies.beam_records import (
    BeamStep,
    Candidate,
    Considered,
    Hypothesis,
    Node,
)
from foretell.engine.events import TokenEvent
from foretell.engine.request import Request
from foretell.streaming.job import Job
from foretell.streaming.sample import SampleStreamer
from foretell.text.detokenizer import unfinished_character
from foretell.utils.terminal import show_bytes

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class _Finished:
    """A candidate that is a hypothesis, where it stands in the tree, and as it was told last."""

    step: int
    beam: int
    index: int
    considered: Considered
    told: BeamCandidate


class TreeGrowth:
    """Turns a search's records into what the user reads, step by step.

    Args:
        tokenizer: the model's.
        prompt_token_ids: what is continued.
        config: the settings in force.

    Attributes:
        steps: those so far, each candidate with what became of it by now.
        hypotheses: the finished texts that are held, best first.
    """

    def __init__(
        self, tokenizer: Tokenizer, prompt_token_ids: list[int], config: GenerationConfig
    ) -> None:
        self._tokenizer = tokenizer
        self._prompt = prompt_token_ids
        self._config = config
        self._held: dict[Node, int] = {}  # the numbers of the hypotheses
        self._finished: dict[Node, _Finished] = {}
        self._texts: dict[Node, BeamHypothesis] = {}
        self.steps: list[TreeStep] = []
        self.hypotheses: list[BeamHypothesis] = []

    def add(self, step: BeamStep) -> GrownStep:
        """The next step, and what it changes of those before."""
        number = len(self.steps)
        self._held = {one.node: index for index, one in enumerate(step.hypotheses)}
        revised = [*self._revise()]
        self.steps.append(self._step(number, step))
        self._finished = {node: self._finished[node] for node in self._held}
        self._texts = {one.node: self._hypothesis(one) for one in step.hypotheses}
        self.hypotheses = [*self._texts.values()]
        return GrownStep(number, self.steps[-1], self.hypotheses, revised, step.end)

    def _revise(self) -> Iterator[Revision]:
        """Tell anew the candidates of earlier steps that are another hypothesis now, or none."""
        for node, one in self._finished.items():
            now = self._as_finished(one.told, one.considered)
            if now == one.told:
                continue
            self._finished[node] = replace(one, told=now)
            self.steps[one.step] = _with_candidate(self.steps[one.step], one, now)
            yield Revision(one.step, one.beam, one.index, now)

    def _step(self, number: int, step: BeamStep) -> TreeStep:
        """A step, its candidates under the beams that they go on from."""
        candidates: list[list[BeamCandidate]] = [[] for _ in step.live]
        groups: Sequence[int | None] = step.groups or [None] * len(step.live)
        ranks: Counter[int | None] = Counter()
        for considered in step.considered:
            parent, made = considered.candidate.parent, considered.hypothesis
            is_ranked = not considered.candidate.is_forced
            ranks[groups[parent]] += is_ranked
            told = self._candidate(ranks[groups[parent]] if is_ranked else None, considered)
            if made is not None and told.fate == "finished":
                index = len(candidates[parent])
                self._finished[made.node] = _Finished(number, parent, index, considered, told)
            candidates[parent].append(told)
        for runner_up in step.runners_up:
            number = ranks[groups[runner_up.parent]]
            candidates[runner_up.parent].append(self._runner_up(runner_up, number))
        parts = zip(step.live, candidates, groups, strict=True)
        beams = [self._beam(node, ours, group) for node, ours, group in parts]
        return TreeStep(beams, ranks.total(), len(step.hypotheses))

    def _hypothesis(self, one: Hypothesis) -> BeamHypothesis:
        """A finished text, written down by the rules of the outputs."""
        known = self._texts.get(one.node)
        if known is not None:
            return known
        token_ids = _token_ids(one.node)
        config = self._config.override(logprobs=None, stopping_criteria=None)
        job = Job("", Request(self._prompt, config), config)
        streamer = SampleStreamer(job, self._tokenizer)
        for token_id in token_ids[:-1]:
            streamer.take(TokenEvent(0, token_id))
        streamer.take(TokenEvent(0, token_ids[-1], stop_reason=one.reason))
        text = streamer.require_output().text
        return BeamHypothesis(text, token_ids, one.node.total, one.score, one.reason)

    def _beam(
        self, node: Node | None, candidates: list[BeamCandidate], group: int | None
    ) -> LiveBeam:
        token_ids = [] if node is None else _token_ids(node)
        total = 0.0 if node is None else node.total
        return LiveBeam(self._text(token_ids), token_ids, total, candidates, group)

    def _text(self, token_ids: Sequence[int]) -> str:
        if not token_ids:
            return ""
        texts = [one for one in token_ids if not self._tokenizer.is_special(one)]
        data = b"".join(map(self._tokenizer.token_bytes, texts))
        return show_bytes(unfinished_character(self._tokenizer, self._prompt) + data)

    def _candidate(self, rank: int | None, one: Considered) -> BeamCandidate:
        made = one.hypothesis
        told = replace(
            self._fallen(one.candidate, words.fell(one, self._config)),
            rank=rank,
            stop_reason=one.reason,
            score=None if made is None else made.score,
        )
        if made is not None:
            return self._as_finished(told, one)
        if one.beam is not None and not one.is_over:
            return replace(told, fate="kept", verdict=words.kept(one.beam), beam=one.beam)
        return told

    def _as_finished(self, told: BeamCandidate, one: Considered) -> BeamCandidate:
        """A candidate that ended among the best, by the hypotheses that are held now."""
        index = None if one.hypothesis is None else self._held.get(one.hypothesis.node)
        if index is None:
            verdict = words.fell(one, self._config)
            return replace(told, fate="fell", verdict=verdict, hypothesis=None)
        verdict = words.finished(one, index)
        return replace(told, fate="finished", verdict=verdict, hypothesis=index)

    def _runner_up(self, one: Candidate, num_candidates: int) -> BeamCandidate:
        return self._fallen(one, words.passed_over(num_candidates, self._config))

    def _fallen(self, one: Candidate, verdict: str) -> BeamCandidate:
        return BeamCandidate(
            token_id=one.token_id,
            token=self._tokenizer.display([one.token_id]),
            bytes=self._tokenizer.token_bytes(one.token_id),
            logprob=one.logprob,
            total=one.total,
            rank=None,
            fate="fell",
            verdict=verdict,
            bank=one.bank,
            is_forced=one.is_forced,
            perturbed=one.perturbed,
        )


def _with_candidate(step: TreeStep, place: _Finished, now: BeamCandidate) -> TreeStep:
    """The same step with another candidate in a place."""
    beams, beam = [*step.beams], step.beams[place.beam]
    candidates = [*beam.candidates]
    candidates[place.index] = now
    beams[place.beam] = replace(beam, candidates=candidates)
    return replace(step, beams=beams)


def _token_ids(node: Node) -> list[int]:
    return [one.token_id for one in node.path()]
