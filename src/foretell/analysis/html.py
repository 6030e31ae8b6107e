"""An explanation as HTML: tokens shaded by the model's probability, their stories below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from foretell.config.settings import REPORT_SETTINGS
from foretell.outputs import CandidateTrace, GenerationOutput, StepTrace, spell_settings
from foretell.utils.display import show_probability, show_token
from foretell.utils.html import TokenView, details, flow, frame, preformatted

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Why these tokens</title>
</head>
<body style="max-width: 60rem; margin: 2rem auto; padding: 0 1rem">
{}
</body>
</html>
"""


class Explained(Protocol):
    """An output, and for each of its tokens a record, a story and a table: an `Explanation`."""

    @property
    def output(self) -> GenerationOutput:
        """What was generated."""
        ...

    @property
    def steps(self) -> Sequence[StepTrace]:
        """What became of each token's candidates."""
        ...

    def why(self, index: int) -> str:
        """The story of one token, in a few sentences."""
        ...

    def table(self, index: int) -> str:
        """What each stage did to the token and to the likeliest others."""
        ...


def page(explanation: Explained) -> str:
    """A whole HTML document with the explanation."""
    return PAGE.format(fragment(explanation))


def fragment(explanation: Explained) -> str:
    """The prompt and the tokens, the story of each, and tables of all stages."""
    tokens = [_view(step, explanation.why(index)) for index, step in enumerate(explanation.steps)]
    text = flow(explanation.output.prompt, tokens)
    stated = explanation.output.config.as_dict()
    told = {name: value for name, value in stated.items() if name not in REPORT_SETTINGS}
    return frame(text, _tables(explanation), notes=[spell_settings(told)])


def _view(step: StepTrace, story: str) -> TokenView:
    chosen = step.chosen
    figures = {
        "by the model": show_probability(chosen.probabilities[0]),
        "in the end": _in_the_end(step, chosen),
        "rank": str(chosen.rank),
        "id": str(chosen.token_id),
    }
    if step.draw is not None:
        draw = step.draw
        figures["drawn"] = f"{draw.uniform:.4f} in [{draw.low:.4f}, {draw.high:.4f})"
    candidates = sorted((chosen, *step.runners_up), key=lambda one: one.rank)
    rows = [_row(step, candidate) for candidate in candidates]
    heads = ("candidate", "by the model", "in the end")
    return TokenView(chosen.bytes, chosen.probabilities[0], figures, story, [heads, *rows])


def _row(step: StepTrace, candidate: CandidateTrace) -> tuple[str, ...]:
    """A candidate: raw and final probability, or what removed it; the chosen one has an arrow."""
    mark = "→ " if candidate is step.chosen else ""
    raw = show_probability(candidate.probabilities[0])
    return f"{mark}{show_token(candidate.token)}", raw, _in_the_end(step, candidate)


def _in_the_end(step: StepTrace, candidate: CandidateTrace) -> str:
    if candidate.removed_by is not None:
        return f"cut by {step.stages[candidate.removed_by].name}"
    return show_probability(candidate.probabilities[-1])


def _tables(explanation: Explained) -> str:
    indices = range(len(explanation.steps))
    told = [f"{explanation.table(index)}\n\n  {explanation.why(index)}" for index in indices]
    return details("Every stage of every token", preformatted("\n\n".join(told)))
