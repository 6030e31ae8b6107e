"""A beam tree as HTML: a picture, the finished texts, then each step with all its candidates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from foretell.analysis.beam_tree.picture import tree_figure
from foretell.analysis.beam_tree.results import BeamCandidate, BeamHypothesis, LiveBeam, TreeStep
from foretell.analysis.beam_tree.tables import (
    NO_RANK,
    rank_heading,
    score_formula,
    step_summary,
)
from foretell.config import GenerationConfig
from foretell.outputs import show_settings
from foretell.utils.display import show_figure, show_text, show_token
from foretell.utils.html import details, frame, plain_flow, scrolling, table

HYPOTHESIS_HEADS = ("", "text", "score", "sum", "length", "ends by")
CANDIDATE_HEADS = ("token", "what became of it", "log-probability", "sum")


def fragment(
    prompt: str,
    steps: Sequence[TreeStep],
    hypotheses: Sequence[BeamHypothesis],
    end: str,
    config: GenerationConfig,
) -> str:
    """The whole tree; its steps open one by one."""
    texts = table(
        HYPOTHESIS_HEADS, map(_hypothesis, range(len(hypotheses)), hypotheses), left=(5,), wide=(1,)
    )
    opened = "".join(
        details(step_summary(number, step), _step(step, rank_heading(config)))
        for number, step in enumerate(steps)
    )
    notes = [f"the search ended: {end}", score_formula(config), show_settings(config)]
    picture = scrolling(tree_figure(prompt, steps))
    return frame(plain_flow(prompt, ""), picture, texts, scrolling(opened), notes=notes)


def _hypothesis(index: int, one: BeamHypothesis) -> Sequence[str]:
    figures = (
        show_figure(one.score),
        show_figure(one.total),
        str(one.length),
        one.stop_reason.kind,
    )
    return (str(index), show_text(one.text), *figures)


def _step(step: TreeStep, rank: str) -> str:
    return table(("beam", rank, *CANDIDATE_HEADS), _candidates(step), left=(0, 2, 3))


def _candidates(step: TreeStep) -> Iterator[Sequence[str]]:
    for index, beam in enumerate(step.beams):
        for place, one in enumerate(beam.candidates):
            yield ("" if place else _beam(index, beam), *_candidate(one))


def _beam(index: int, beam: LiveBeam) -> str:
    return f"{index}: {show_token(beam.text)}" if beam.token_ids else f"{index}: the prompt"


def _candidate(one: BeamCandidate) -> Sequence[str]:
    rank = NO_RANK if one.rank is None else str(one.rank)
    figures = (show_figure(one.logprob), show_figure(one.total))
    return (rank, show_token(one.token), one.verdict, *figures)
