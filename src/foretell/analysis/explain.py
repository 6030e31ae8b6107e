"""The glass box: why each token was chosen, for people.

    why = llm.explain("The cat sat on the", temperature=0.8, top_k=50)
    print(why)  # what each processor did to the candidates, token by token
    print(why.why(0))  # the first token's story in sentences

In a notebook the explanation shows itself: tokens shaded by probability, their stories below.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from foretell.analysis.html import fragment
from foretell.analysis.tasks import Analysis, GenerationTask
from foretell.config import GenerationConfig
from foretell.config.defaults import EXPLAIN_TOKENS, NUM_LOGPROBS
from foretell.errors import ConfigError, RequestError
from foretell.inputs.processor import merge_settings
from foretell.inputs.prompts import Prompt
from foretell.outputs import CandidateTrace, DrawTrace, GenerationOutput, StageTrace, StepTrace
from foretell.utils.display import count, pad, show_indices, show_probability, show_token, width_of

MAX_COLUMNS = 100  # of a table
MAX_STAGE = 30  # columns for a stage's name and setting
MAX_TOKEN = 12  # columns for a candidate
NOTEWORTHY = 1e-9  # a relative change of a probability that is more than rounding
FIGURES: tuple[tuple[str, int, Callable[[StageTrace], str]], ...] = (
    ("tokens", 7, lambda stage: str(stage.num_candidates)),
    ("mass", 9, lambda stage: f"{stage.mass:.2%}"),
    ("entropy", 9, lambda stage: f"{stage.entropy:.3f}"),
)
"""What a stage left: a heading, its columns, and how it is shown."""


def explain(
    prompt: Prompt,
    config: GenerationConfig | None = None,
    *,
    parse_special: bool = False,
    **settings: Any,
) -> Analysis[Explanation]:
    """Continue a prompt, recording what each processor did to each token.

    Arguments and errors are those of `LLM.generate`, but for one prompt alone, and there are at
    most 5 tokens where no length is stated.
    """
    if settings.get("trace") is False:
        raise ConfigError("trace=False contradicts explain: must be True or left out")
    complete = merge_settings(config, {**settings, "trace": True})
    if complete.num_return_sequences > 1:
        raise ConfigError(
            f"num_return_sequences={complete.num_return_sequences} must be 1: explain shows one "
            "text"
        )
    if complete.logprobs is None:
        complete = complete.override(logprobs=NUM_LOGPROBS)
    (output,) = yield [GenerationTask(prompt, complete, parse_special, EXPLAIN_TOKENS)]
    return Explanation(output)


class Explanation:
    """Why each token of an output was chosen; `str()` gives tables, a notebook shows colours.

    Attributes:
        output: what was generated.
        steps: for each generated token its way through the chain.

    Raises:
        RequestError: the output has no trace.
    """

    def __init__(self, output: GenerationOutput) -> None:
        if output.trace is None:
            raise RequestError("the output's trace is None: must be generated with trace=True")
        self.output = output
        self.steps: list[StepTrace] = list(output.trace)

    def why(self, index: int) -> str:
        """The story of one token, in a few sentences; `index` counts generated tokens from 0."""
        return story(self.step(index))

    def table(self, index: int, columns: int | None = None) -> str:
        """What each stage did to the token and to the likeliest others; `index` as in `why`.

        It is as wide as `columns` of a terminal and 100 allow: what has no room is left out, first
        the less likely tokens, then the entropy and the mass.
        """
        room = MAX_COLUMNS if columns is None else min(columns, MAX_COLUMNS)
        return "\n".join(_table_lines(index, self.step(index), room))

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data, ready for `json.dumps`; each step with its story."""
        output = self.output.to_dict()
        names = ("prompt", "prompt_token_ids", "text", "token_ids", "finish_reason", "config")
        steps = [told_step(step) for step in self.steps]
        return {**{name: output[name] for name in names}, "steps": steps}

    def __str__(self) -> str:
        return "\n\n".join(self.table(index) for index in range(len(self.steps)))

    def __repr__(self) -> str:
        return f"Explanation({count(len(self.steps), 'token')})"

    def _repr_html_(self) -> str:
        return fragment(self)

    def step(self, index: int) -> StepTrace:
        """The record of one token; `index` as in `why`, RequestError where there is none."""
        number = operator.index(index)
        if not 0 <= number < len(self.steps):
            number = len(self.steps)
            right = f"must be {show_indices(number)}" if number else "no token was generated"
            raise RequestError(f"token {index} is out of range: {right}")
        return self.steps[number]


def told_step(step: StepTrace) -> dict[str, Any]:
    """A step as plain data, with its story."""
    return {**step.to_dict(), "why": story(step)}


def story(step: StepTrace) -> str:
    """Why this token, in a few sentences."""
    return " ".join(_sentences(step))


def show_stage(stage: StageTrace) -> str:
    """The setting's name and its value."""
    return f"{stage.name} {stage.setting}".rstrip()


def _sentences(step: StepTrace) -> Iterator[str]:
    raw, token = step.stages[0], step.chosen
    yield (
        f"The model gave {show_token(token.token)} {show_probability(token.probabilities[0])}, "
        f"rank {token.rank} of {raw.num_candidates}."
    )
    for stage in range(1, len(step.stages)):
        yield _stage_sentence(step, stage)
    favourite = min((token, *step.runners_up), key=lambda candidate: candidate.rank)
    if favourite.rank < token.rank:
        yield _favourite_sentence(step, favourite)
    yield _choice_sentence(step)


def _stage_sentence(step: StepTrace, index: int) -> str:
    stage, before, token = step.stages[index], step.stages[index - 1], step.chosen
    parts = []
    cut = before.num_candidates - stage.num_candidates
    if cut > 0:
        held = show_probability(max(0.0, 1 - stage.mass))
        parts.append(f"cut {count(cut, 'token')}, which held {held}")
    elif cut < 0:
        parts.append(f"let {count(-cut, 'token')} back in")
    old, new = token.probabilities[index - 1 : index + 1]
    if abs(new - old) > NOTEWORTHY * old:
        verb = "raised" if new > old else "lowered"
        parts.append(f"{verb} it to {show_probability(new)}")
    elif parts:
        parts.append("left it as likely")
    else:
        parts.append("changed nothing for it")
    return f"{show_stage(stage)} {', and '.join(parts)}."


def _favourite_sentence(step: StepTrace, favourite: CandidateTrace) -> str:
    name = f"The model's first choice, {show_token(favourite.token)}"
    start = f"{name} ({show_probability(favourite.probabilities[0])}),"
    if favourite.removed_by is not None:
        return f"{start} was removed by {show_stage(step.stages[favourite.removed_by])}."
    return f"{start} stood at {show_probability(favourite.probabilities[-1])} in the end."


def _choice_sentence(step: StepTrace) -> str:
    if step.draw is None:
        return "Its logit was then the largest, and greedy decoding takes that."
    low, uniform, high = _interval(step.draw, 6)
    return (
        f"The number drawn was {uniform}; with the probabilities summed by ascending ids, it fell "
        f"between {low} and {high}, which is this token."
    )


def _table_lines(index: int, step: StepTrace, columns: int) -> Iterator[str]:
    names = [show_stage(stage) for stage in step.stages]
    stage_columns = min(MAX_STAGE, max(map(width_of, ("stage", *names))))
    room = columns - stage_columns - 4
    figures = _figures_that_fit(room - _columns_of(step.chosen) - 2)
    shown = _candidates_that_fit(step, room + 2 - sum(width for _, width, _ in figures))
    heads = "".join(f"{head:>{width}}" for head, width, _ in figures)
    tokens = "".join(f"  {_right(show_token(one.token), _columns_of(one))}" for one in shown)
    yield f"{index}: {_headline(step)}"
    yield f"  {pad('stage', stage_columns)}  {heads}{tokens}"
    for number, stage in enumerate(step.stages):
        cells = "".join(f"{show(stage):>{width}}" for _, width, show in figures)
        odds = "".join(f"  {_odds(one, number):>{_columns_of(one)}}" for one in shown)
        yield f"  {pad(names[number], stage_columns)}  {cells}{odds}"


def _headline(step: StepTrace) -> str:
    token = show_token(step.chosen.token)
    if step.draw is None:
        return f"{token} has the largest logit"
    low, uniform, high = _interval(step.draw, 4)
    return f"{token} was drawn: {uniform} is in [{low}, {high})"


def _interval(draw: DrawTrace, least: int) -> list[str]:
    """The interval's start, the draw and its end, with as many digits as tell them apart."""
    for digits in range(least, 17):
        shown = [f"{number:.{digits}f}" for number in (draw.low, draw.uniform, draw.high)]
        if float(shown[0]) <= float(shown[1]) < float(shown[2]):
            break
    return shown


def _figures_that_fit(columns: int) -> tuple[tuple[str, int, Callable[[StageTrace], str]], ...]:
    """The first of the figures, one at least, that there is room for."""
    number = len(FIGURES)
    while number > 1 and sum(width for _, width, _ in FIGURES[:number]) > columns:
        number -= 1
    return FIGURES[:number]


def _candidates_that_fit(step: StepTrace, columns: int) -> list[CandidateTrace]:
    """The chosen token first, then as many runners-up as there is room for."""
    shown = [step.chosen]
    for candidate in step.runners_up:
        if sum(_columns_of(one) + 2 for one in (*shown, candidate)) > columns:
            break
        shown.append(candidate)
    return shown


def _columns_of(candidate: CandidateTrace) -> int:
    return min(MAX_TOKEN, max(7, width_of(show_token(candidate.token))))


def _right(text: str, columns: int) -> str:
    """The text at the right end of this many columns, cut off if it is longer."""
    cut = pad(text, columns)
    spaces = len(cut) - len(cut.rstrip(" ")) if width_of(text) <= columns else 0
    return " " * spaces + cut[: len(cut) - spaces]


def _odds(candidate: CandidateTrace, stage: int) -> str:
    if candidate.logits[stage] is None:
        return "cut"
    return show_probability(candidate.probabilities[stage])
