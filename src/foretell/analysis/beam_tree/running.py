"""Runs a beam search that reports its steps, and shows its tree in the tokenizer's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from foretell.analysis.beam_tree import words
from foretell.analysis.beam_tree.results import (
    BeamCandidate,
    BeamHypothesis,
    BeamTree,
    LiveBeam,
    TreeStep,
)
from foretell.config import GenerationConfig
from foretell.decoding.strategies.beam_search import (
    BeamStep,
    Candidate,
    Considered,
    Hypothesis,
    Node,
)
from foretell.engine.events import TokenEvent
from foretell.errors import ConfigError, RequestError
from foretell.inputs.prompts import Prompt, is_batch
from foretell.streaming.job import Job
from foretell.streaming.run import collect_outputs, stream_jobs
from foretell.streaming.sample import SampleStreamer
from foretell.text.detokenizer import Detokenizer, unfinished_character

if TYPE_CHECKING:
    from foretell.llm import LLM
    from foretell.text.tokenizer import Tokenizer

DEFAULT_NUM_BEAMS = 5


def beams(
    llm: LLM,
    prompt: Prompt,
    config: GenerationConfig | None = None,
    *,
    parse_special: bool = False,
    **settings: Any,
) -> BeamTree:
    """Continue a prompt by beam search, and tell all that it considered.

    Arguments and errors are those of `LLM.generate`, but for one prompt alone, and `num_beams` is 5
    where none is stated. The texts are those of `generate`.
    """
    if is_batch(prompt):
        raise RequestError(f"there are {len(prompt)} prompts: beams shows the tree of one")
    preparation = llm.preparation
    require_beams(settings.get("num_beams"))
    complete = preparation.settings(config, _with_beams(config, settings))
    steps: list[BeamStep] = []
    plan = preparation.plan(complete, on_step=steps.append)
    job = preparation.job(prompt, plan, parse_special=parse_special)
    outputs = collect_outputs(stream_jobs(llm.client, [job], llm.tokenizer))
    teller = _Teller(job, llm.tokenizer, steps[-1].hypotheses)
    return BeamTree(
        prompt=job.prompt,
        prompt_token_ids=list(job.request.prompt),
        config=job.config,
        steps=[teller.step(step) for step in steps],
        hypotheses=[teller.hypothesis(one) for one in steps[-1].hypotheses],
        end=steps[-1].end or "exhausted",
        outputs=outputs,
    )


def require_beams(num_beams: int | None) -> None:
    """Raise ConfigError for the one number that makes no tree; None stands for the default."""
    if num_beams == 1:
        raise ConfigError("num_beams=1 searches no tree: must be at least 2")


def _with_beams(config: GenerationConfig | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    stated = config.stated if isinstance(config, GenerationConfig) else {}
    if {**stated, **settings}.get("num_beams") is not None:
        return dict(settings)
    return {**settings, "num_beams": DEFAULT_NUM_BEAMS}


class _Teller:
    """Turns a search's records into what the user reads: ids become texts, fates are known."""

    def __init__(self, job: Job, tokenizer: Tokenizer, hypotheses: Sequence[Hypothesis]) -> None:
        self._job = job
        self._config = job.request.config
        self._tokenizer = tokenizer
        self._places = {one.node: place for place, one in enumerate(hypotheses)}

    def step(self, step: BeamStep) -> TreeStep:
        """A step, its candidates under the beams that they go on from."""
        told = [self._candidate(rank, one, step) for rank, one in enumerate(step.considered, 1)]
        parents = [one.candidate.parent for one in step.considered]
        told += [self._runner_up(one, step) for one in step.runners_up]
        parents += [one.parent for one in step.runners_up]
        beams = [
            self._beam(
                node, [one for one, parent in zip(told, parents, strict=True) if parent == place]
            )
            for place, node in enumerate(step.live)
        ]
        return TreeStep(beams, len(step.considered), len(step.hypotheses))

    def hypothesis(self, one: Hypothesis) -> BeamHypothesis:
        """A finished text, written down by the rules of the outputs."""
        token_ids = _token_ids(one.node)
        config = self._config.override(logprobs=None, stopping_criteria=None)
        request = replace(self._job.request, config=config)
        transcript = SampleStreamer(replace(self._job, request=request), self._tokenizer)
        for token_id in token_ids[:-1]:
            transcript.take(TokenEvent(0, token_id))
        transcript.take(TokenEvent(0, token_ids[-1], stop_reason=one.reason))
        text = transcript.require_output().text
        return BeamHypothesis(text, token_ids, one.node.total, one.score, one.reason)

    def _beam(self, node: Node | None, candidates: list[BeamCandidate]) -> LiveBeam:
        token_ids = [] if node is None else _token_ids(node)
        total = 0.0 if node is None else node.total
        return LiveBeam(self._text(token_ids), token_ids, total, candidates)

    def _text(self, token_ids: Sequence[int]) -> str:
        pending = unfinished_character(self._tokenizer, self._job.request.prompt)
        detokenizer = Detokenizer(self._tokenizer, continuation=True, pending=pending)
        return "".join(map(detokenizer.push, token_ids)) + detokenizer.finish()

    def _candidate(self, rank: int, one: Considered, step: BeamStep) -> BeamCandidate:
        told = self._fallen(one.candidate, words.fell(one, self._config))
        made = one.hypothesis
        told = replace(
            told,
            rank=rank,
            stop_reason=one.reason,
            score=None if made is None else made.score,
        )
        if made is not None and made.node in self._places:
            place = self._places[made.node]
            verdict = words.finished(one, place)
            return replace(told, fate="finished", verdict=verdict, hypothesis=place)
        if one.beam is not None and step.end is None:
            return replace(told, fate="kept", verdict=words.kept(one.beam), beam=one.beam)
        return told

    def _runner_up(self, one: Candidate, step: BeamStep) -> BeamCandidate:
        return self._fallen(one, words.passed_over(len(step.considered), self._config))

    def _fallen(self, one: Candidate, verdict: str) -> BeamCandidate:
        return BeamCandidate(
            token_id=one.token_id,
            token=self._tokenizer.token_text(one.token_id),
            bytes=self._tokenizer.token_bytes(one.token_id),
            logprob=one.logprob,
            total=one.total,
            rank=None,
            fate="fell",
            verdict=verdict,
        )


def _token_ids(node: Node) -> list[int]:
    return [one.token_id for one in node.path()]
