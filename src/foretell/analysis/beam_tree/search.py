"""Asks for a beam search that is recorded, and makes the tree of its records: ids become texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from foretell.analysis.beam_tree import words
from foretell.analysis.beam_tree.results import (
    BeamCandidate,
    BeamHypothesis,
    LiveBeam,
    TreeStep,
)
from foretell.analysis.beam_tree.tree import BeamTree
from foretell.analysis.tasks import Analysis, GenerationTask
from foretell.config import GenerationConfig
from foretell.config.defaults import BEAMS_TOKENS, NUM_BEAMS
from foretell.decoding.strategies.beam_search import (
    BeamStep,
    Candidate,
    Considered,
    Hypothesis,
    Node,
)
from foretell.engine.events import TokenEvent
from foretell.engine.request import Request
from foretell.errors import ConfigError
from foretell.inputs.processor import merge_settings
from foretell.inputs.prompts import Prompt
from foretell.outputs import GenerationOutput
from foretell.streaming.job import Job
from foretell.streaming.sample import SampleStreamer
from foretell.text.detokenizer import unfinished_character
from foretell.utils.terminal import show_bytes

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


def beams(
    tokenizer: Tokenizer,
    prompt: Prompt,
    config: GenerationConfig | None = None,
    *,
    parse_special: bool = False,
    **settings: Any,
) -> Analysis[BeamTree]:
    """Continue a prompt by beam search, and show all that it considered.

    Arguments and errors are those of `LLM.generate`, but for one prompt alone: `num_beams` is 5
    where none is stated, and there are at most 5 tokens where no length is. The texts are those of
    `generate`.
    """
    require_beams(settings.get("num_beams"))
    complete = merge_settings(config, _with_beams(config, settings))
    steps: list[BeamStep] = []
    extras = {"on_step": steps.append}
    outputs = yield [GenerationTask(prompt, complete, parse_special, BEAMS_TOKENS, extras)]
    return tree_of(steps, outputs, tokenizer)


def tree_of(
    steps: Sequence[BeamStep], outputs: list[GenerationOutput], tokenizer: Tokenizer
) -> BeamTree:
    """The tree of a search, from the records of its steps and its outputs."""
    one, last = outputs[0], steps[-1]
    builder = _TreeBuilder(one, tokenizer, last.hypotheses)
    return BeamTree(
        prompt=one.prompt,
        prompt_token_ids=one.prompt_token_ids,
        config=one.config,
        steps=[builder.step(step) for step in steps],
        hypotheses=[builder.hypothesis(hypothesis) for hypothesis in last.hypotheses],
        end=last.end or "exhausted",
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
    return {**settings, "num_beams": NUM_BEAMS}


class _TreeBuilder:
    """Turns a search's records into what the user reads: ids become texts, fates are known."""

    def __init__(
        self, output: GenerationOutput, tokenizer: Tokenizer, hypotheses: Sequence[Hypothesis]
    ) -> None:
        self._config = output.config
        self._prompt = output.prompt_token_ids
        self._tokenizer = tokenizer
        self._indices = {one.node: index for index, one in enumerate(hypotheses)}

    def step(self, step: BeamStep) -> TreeStep:
        """A step, its candidates under the beams that they go on from."""
        candidates: list[list[BeamCandidate]] = [[] for _ in step.live]
        for rank, considered in enumerate(step.considered, 1):
            parent = considered.candidate.parent
            candidates[parent].append(self._candidate(rank, considered, step))
        for runner_up in step.runners_up:
            candidates[runner_up.parent].append(self._runner_up(runner_up, step))
        beams = [self._beam(node, ours) for node, ours in zip(step.live, candidates, strict=True)]
        return TreeStep(beams, len(step.considered), len(step.hypotheses))

    def hypothesis(self, one: Hypothesis) -> BeamHypothesis:
        """A finished text, written down by the rules of the outputs."""
        token_ids = _token_ids(one.node)
        config = self._config.override(logprobs=None, stopping_criteria=None)
        job = Job("", Request(self._prompt, config), config)
        streamer = SampleStreamer(job, self._tokenizer)
        for token_id in token_ids[:-1]:
            streamer.take(TokenEvent(0, token_id))
        streamer.take(TokenEvent(0, token_ids[-1], stop_reason=one.reason))
        text = streamer.require_output().text
        return BeamHypothesis(text, token_ids, one.node.total, one.score, one.reason)

    def _beam(self, node: Node | None, candidates: list[BeamCandidate]) -> LiveBeam:
        token_ids = [] if node is None else _token_ids(node)
        total = 0.0 if node is None else node.total
        return LiveBeam(self._text(token_ids), token_ids, total, candidates)

    def _text(self, token_ids: Sequence[int]) -> str:
        if not token_ids:
            return ""
        texts = [one for one in token_ids if not self._tokenizer.is_special(one)]
        data = b"".join(map(self._tokenizer.token_bytes, texts))
        return show_bytes(unfinished_character(self._tokenizer, self._prompt) + data)

    def _candidate(self, rank: int, one: Considered, step: BeamStep) -> BeamCandidate:
        made = one.hypothesis
        fallen = replace(
            self._fallen(one.candidate, words.fell(one, self._config)),
            rank=rank,
            stop_reason=one.reason,
            score=None if made is None else made.score,
        )
        if made is not None and made.node in self._indices:
            index = self._indices[made.node]
            verdict = words.finished(one, index)
            return replace(fallen, fate="finished", verdict=verdict, hypothesis=index)
        if one.beam is not None and step.end is None:
            return replace(fallen, fate="kept", verdict=words.kept(one.beam), beam=one.beam)
        return fallen

    def _runner_up(self, one: Candidate, step: BeamStep) -> BeamCandidate:
        return self._fallen(one, words.passed_over(len(step.considered), self._config))

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
        )


def _token_ids(node: Node) -> list[int]:
    return [one.token_id for one in node.path()]
