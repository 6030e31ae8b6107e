"""A beam tree in plain text, in as many columns as there are: at most 100, at least 40.

Where a line has no place for all of a candidate, what became of it comes below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

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
MIN_COLUMNS = 40
NARROW = 80  # below, a finished text takes two lines
MAX_TOKEN = 18  # columns for a candidate's token
MIN_TOKEN = 8
FIGURES = 34  # columns for the branch, rank, log-probability and sum
NO_RANK = "·"


def step_lines(
    prompt: str, steps: Sequence[TreeStep], config: GenerationConfig, columns: int = MAX_COLUMNS
) -> Iterator[str]:
    """The prompt; then the steps, each live beam above its candidates."""
    columns = within(columns)
    yield pad(show_text(prompt), columns).rstrip()
    for number, step in enumerate(steps):
        yield ""
        yield from _step_lines(number, step, rank_heading(config), columns)


def within(columns: int) -> int:
    """So many columns as a tree can be drawn in."""
    return max(MIN_COLUMNS, min(columns, MAX_COLUMNS))


def step_summary(number: int, step: TreeStep) -> str:
    """How many live beams a step had, and how many candidates and finished texts it led to."""
    counts = [count(len(step.beams), "live beam"), count(step.num_candidates, "candidate")]
    if step.num_hypotheses:
        counts.append(f"{count(step.num_hypotheses, 'hypothesis', 'hypotheses')} after it")
    return f"step {number}: {', '.join(counts)}"


def rank_heading(config: GenerationConfig) -> str:
    """What a candidate's rank counts: the best ones, or in sampling those drawn."""
    return "drawn" if config.is_sampling else "rank"


def _step_lines(number: int, step: TreeStep, rank: str, columns: int) -> Iterator[str]:
    candidates = [one for beam in step.beams for one in beam.candidates]
    verdicts = max([0, *(len(one.verdict) for one in candidates)])
    has_room = FIGURES + MIN_TOKEN + verdicts <= columns
    room = columns - FIGURES - verdicts if has_room else columns - FIGURES + 2
    wanted = max([MIN_TOKEN, *(width_of(show_token(one.token)) for one in candidates)])
    width = min(MAX_TOKEN, wanted, room)
    told = "  what became of it" if has_room else ""
    yield from wrap(step_summary(number, step), columns, subsequent_indent="  ")
    yield f"{rank:>8}  {pad('token', width)}  {'log p':>9} {'sum':>10}{told}"
    for index, beam in enumerate(step.beams):
        yield _beam_line(index, beam, columns)
        for one in beam.candidates:
            branch, stem = ("└", " ") if one is beam.candidates[-1] else ("├", "│")
            line = f"  {branch} {_candidate_figures(one, width)}"
            if has_room:
                yield f"{line}  {one.verdict}"
            else:
                below = f"  {stem}  "
                yield line
                yield from wrap(one.verdict, columns, initial_indent=below, subsequent_indent=below)


def _beam_line(index: int, beam: LiveBeam, columns: int) -> str:
    group = "" if beam.group is None else f" (group {beam.group})"
    if not beam.token_ids:
        return f"  beam {index}{group}: the prompt"
    start = f"  beam {index}{group}: {show_figure(beam.total)}  "
    return start + cut_beginning(show_token(beam.text), columns - len(start))


def _candidate_figures(one: BeamCandidate, width: int) -> str:
    rank = NO_RANK if one.rank is None else str(one.rank)
    token = pad(show_token(one.token), width)
    return f"{rank:>4}  {token}  {show_figure(one.logprob):>9} {show_figure(one.total):>10}"


def hypothesis_lines(
    hypotheses: Sequence[BeamHypothesis],
    end: str,
    config: GenerationConfig,
    columns: int = MAX_COLUMNS,
) -> Iterator[str]:
    """Why the search ended, `end`; then the finished texts with their figures, a line each."""
    columns = within(columns)
    for sentence in (f"the search ended: {end}", score_formula(config)):
        yield from wrap(sentence, columns, subsequent_indent="  ")
    is_narrow = columns < NARROW
    ends = "" if is_narrow else f"  {'ends by':<14}  text"
    yield f"     {'score':>9} {'sum':>10} {'length':>6}{ends}"
    for index, one in enumerate(hypotheses):
        figures = f"{show_figure(one.score):>9} {show_figure(one.total):>10} {one.length:>6}"
        start = f"{index:>4} {figures}"
        if is_narrow:
            yield start
            start = f"     {one.stop_reason.kind}"
        else:
            start = f"{start}  {one.stop_reason.kind:<14}"
        yield f"{start}  {pad(show_text(one.text), columns - len(start) - 2).rstrip()}"


def score_formula(config: GenerationConfig) -> str:
    """By what finished texts are ranked."""
    if config.stochastic_beams:
        return "hypotheses in the order in which they were drawn; score = sum"
    penalty = 1.0 if config.length_penalty is None else config.length_penalty
    return f"hypotheses by score = sum / length ** {penalty:g}"
