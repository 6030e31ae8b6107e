"""A beam tree in plain text, at most 100 columns wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from foretell.analysis.beam_tree.results import (
    BeamCandidate,
    BeamHypothesis,
    LiveBeam,
    TreeStep,
)
from foretell.config import GenerationConfig
from foretell.utils.display import (
    count,
    cut_beginning,
    pad,
    show_figure,
    show_text,
    show_token,
    width_of,
)

MAX_COLUMNS = 100
MAX_TOKEN = 18  # columns for a candidate's token
MIN_TOKEN = 8
FIGURES = 34  # columns for the branch, rank, log-probability and sum
NO_RANK = "·"


def step_lines(prompt: str, steps: Sequence[TreeStep], config: GenerationConfig) -> Iterator[str]:
    """The prompt; then the steps, each live beam above its candidates."""
    yield pad(show_text(prompt), MAX_COLUMNS).rstrip()
    for number, step in enumerate(steps):
        yield ""
        yield from _step_lines(number, step, rank_heading(config))


def step_summary(number: int, step: TreeStep) -> str:
    """How many live beams a step had, and how many candidates and finished texts it led to."""
    counts = [count(len(step.beams), "live beam"), count(step.num_candidates, "candidate")]
    if step.num_hypotheses:
        counts.append(f"{count(step.num_hypotheses, 'hypothesis', 'hypotheses')} after it")
    return f"step {number}: {', '.join(counts)}"


def rank_heading(config: GenerationConfig) -> str:
    """What a candidate's rank counts: the best ones, or in sampling those drawn."""
    return "drawn" if config.is_sampling else "rank"


def _step_lines(number: int, step: TreeStep, rank: str) -> Iterator[str]:
    columns = _token_columns([one for beam in step.beams for one in beam.candidates])
    yield step_summary(number, step)
    yield f"{rank:>8}  {pad('token', columns)}  {'log p':>9} {'sum':>10}  what became of it"
    for index, beam in enumerate(step.beams):
        yield _beam_line(index, beam)
        for one in beam.candidates:
            branch = "└" if one is beam.candidates[-1] else "├"
            yield f"  {branch} {_candidate_figures(one, columns)}"


def _token_columns(candidates: Sequence[BeamCandidate]) -> int:
    """As many as the tokens need and the verdicts leave."""
    wanted = max([MIN_TOKEN, *(width_of(show_token(one.token)) for one in candidates)])
    verdict = max([0, *(len(one.verdict) for one in candidates)])
    return max(MIN_TOKEN, min(MAX_TOKEN, wanted, MAX_COLUMNS - FIGURES - verdict))


def _beam_line(index: int, beam: LiveBeam) -> str:
    if not beam.token_ids:
        return f"  beam {index}: the prompt"
    start = f"  beam {index}: {show_figure(beam.total)}  "
    return start + cut_beginning(show_token(beam.text), MAX_COLUMNS - len(start))


def _candidate_figures(one: BeamCandidate, columns: int) -> str:
    rank = NO_RANK if one.rank is None else str(one.rank)
    token = pad(show_token(one.token), columns)
    figures = f"{show_figure(one.logprob):>9} {show_figure(one.total):>10}"
    return f"{rank:>4}  {token}  {figures}  {one.verdict}"


def hypothesis_lines(
    hypotheses: Sequence[BeamHypothesis], end: str, config: GenerationConfig
) -> Iterator[str]:
    """Why the search ended, `end`; then the finished texts with their figures, a line each."""
    yield f"the search ended: {end}"
    yield score_formula(config)
    yield f"     {'score':>9} {'sum':>10} {'length':>6}  {'ends by':<14}  text"
    for index, one in enumerate(hypotheses):
        yield _hypothesis_line(index, one)


def score_formula(config: GenerationConfig) -> str:
    """By what finished texts are ranked."""
    penalty = 1.0 if config.length_penalty is None else config.length_penalty
    return f"hypotheses by score = sum / length ** {penalty:g}"


def _hypothesis_line(index: int, one: BeamHypothesis) -> str:
    figures = f"{show_figure(one.score):>9} {show_figure(one.total):>10} {one.length:>6}"
    start = f"{index:>4} {figures}  {one.stop_reason.kind:<14}  "
    return start + pad(show_text(one.text), MAX_COLUMNS - len(start)).rstrip()
