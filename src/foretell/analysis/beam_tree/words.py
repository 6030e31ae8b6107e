"""What became of a candidate, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator

from foretell.analysis.beam_tree.results import BeamCandidate, LiveBeam, TreeStep
from foretell.config import GenerationConfig
from foretell.decoding.strategies.beam_records import Considered, SearchEnd
from foretell.utils.display import show_figure, show_token


def kept(beam: int) -> str:
    """It is the next step's live beam number `beam`."""
    return f"kept as beam {beam}"


def finished(one: Considered, hypothesis: int) -> str:
    """It is the hypothesis number `hypothesis` in the end."""
    return f"{_ends(one)}: hypothesis {hypothesis}, {_score(one)}"


def fell(one: Considered, config: GenerationConfig) -> str:
    """Why a candidate is neither."""
    num_beams = config.num_beams // config.num_beam_groups
    if one.hypothesis is not None:
        return f"{_ends(one)}, outdone: {_score(one)}"
    if one.beam is not None:
        return "the search ended first"
    if config.force_words is not None:
        return f"{_ends(one)}, but lacks words" if one.reason else "other banks came first"
    if one.reason is None:
        return f"below the best {num_beams}"
    if config.is_sampling:
        return f"{_ends(one)}, but drawn after the first {num_beams}"
    return f"{_ends(one)}, but outside of the best {num_beams}"


def passed_over(num_candidates: int, config: GenerationConfig) -> str:
    """Why a runner-up was no candidate."""
    return "not drawn" if config.is_sampling else f"not among the best {num_candidates}"


def _ends(one: Considered) -> str:
    return "ends" if one.reason is None else f"ends ({one.reason.kind})"


def _score(one: Considered) -> str:
    return "" if one.hypothesis is None else f"score {show_figure(one.hypothesis.score)}"


def end_of(end: SearchEnd, num_hypotheses: int) -> str:
    """Why the search ended."""
    if end == "exhausted":
        return "no continuation goes on"
    if end == "enough":
        return f"early_stopping=True, and there are {num_hypotheses} hypotheses"
    return "the best live beam would not outdo the worst hypothesis"


def sentences(step: TreeStep, token: str | int, config: GenerationConfig) -> Iterator[str]:
    """The story of a token in each beam that had it; one sentence if none had."""
    found = False
    for index, beam in enumerate(step.beams):
        for one in beam.candidates:
            if token in (one.token, one.token_id):
                found = True
                rank = _rank(one, step.num_candidates, config)
                yield _sentence(index, beam, one, rank)
    if not found:
        name = show_token(token) if isinstance(token, str) else f"Token {token}"
        yield f"{name} was not among the {step.num_candidates} candidates of any beam."


def _rank(one: BeamCandidate, num_candidates: int, config: GenerationConfig) -> str:
    if one.rank is None:
        return "no candidate"
    if config.is_sampling:
        return f"number {one.rank} of {num_candidates} drawn"
    return f"rank {one.rank} of {num_candidates}"


def _sentence(index: int, beam: LiveBeam, one: BeamCandidate, rank: str) -> str:
    before = f"beam {index}, {show_token(beam.text)} ({show_figure(beam.total)})"
    return (
        f"After {before if beam.token_ids else 'the prompt'}, {show_token(one.token)} has "
        f"log-probability {show_figure(one.logprob)} and makes {show_figure(one.total)}, {rank}: "
        f"{one.verdict}."
    )
