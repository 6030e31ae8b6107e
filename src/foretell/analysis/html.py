"""An explanation as HTML: no script, and nothing of the text is markup.

Everything that a model or a user wrote is escaped here. Colours are washes over the page's own
background, and text keeps the page's own colour, so that both light and dark pages stay legible.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Protocol

from foretell.utils.display import show_probability, show_token
from foretell.outputs import GenerationOutput, StepTrace

WASH = "rgba(56, 132, 222, {:.2f})"  # behind tokens: the likelier, the stronger
STRONGEST = 0.45  # opacity that leaves black on white and white on black legible
MARKS = {" ": "·", "\n": "↵", "\t": "⇥"}  # whitespace that is shown beside being there

TEXT_STYLE = "font-family: ui-monospace, monospace; white-space: pre-wrap; line-height: 1.9"
TOKEN_STYLE = "border-radius: 3px; padding: 2px 1px; border-bottom: 1px solid"
QUIET = "opacity: 0.65"

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Why these tokens</title>
</head>
<body style="max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font-family: sans-serif">
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
    """The prompt and the tokens, shaded by raw probability; stories on hover, tables below."""
    prompt = f'<span style="{QUIET}">{_visible(explanation.output.prompt)}</span>'
    tokens = "".join(
        _token(step, f"{explanation.why(index)}\n\n{_alternatives(step)}")
        for index, step in enumerate(explanation.steps)
    )
    return (
        f'<div class="foretell-explanation"><div style="{TEXT_STYLE}">{prompt}{tokens}</div>'
        f"{_legend()}{_tables(explanation)}</div>"
    )


def _token(step: StepTrace, story: str) -> str:
    wash = WASH.format(STRONGEST * step.chosen.probabilities[0])
    return (
        f'<span tabindex="0" title="{_attribute(story)}" '
        f'style="background: {wash}; {TOKEN_STYLE}">{_visible(step.chosen.token)}</span>'
    )


def _alternatives(step: StepTrace) -> str:
    """The candidates, a line each: raw and final probability, or what removed them."""
    lines = []
    for candidate in sorted((step.chosen, *step.runners_up), key=lambda one: one.rank):
        mark = "→" if candidate is step.chosen else "  "
        first, last = candidate.probabilities[0], candidate.probabilities[-1]
        end = show_probability(last)
        if candidate.removed_by is not None:
            end = f"cut by {step.stages[candidate.removed_by].name}"
        lines.append(f"{mark} {show_token(candidate.token)}  {show_probability(first)}, {end}")
    return "\n".join(lines)


def _legend() -> str:
    steps = (0.0, 0.25, 0.5, 0.75, 1.0)
    boxes = "".join(
        f'<span style="background: {WASH.format(STRONGEST * share)}; {TOKEN_STYLE}"> {share:.0%} '
        f"</span>"
        for share in steps
    )
    return (
        f'<p style="font-size: 85%; {QUIET}">probability by the model: {boxes} '
        f"(why a token was chosen: hover over it)</p>"
    )


def _tables(explanation: Explained) -> str:
    text = "\n\n".join(
        f"{explanation.table(index)}\n\n  {explanation.why(index)}"
        for index in range(len(explanation.steps))
    )
    return (
        f"<details><summary>Every stage of every token</summary>"
        f'<pre style="white-space: pre-wrap">{escape(text)}</pre></details>'
    )


def _visible(text: str) -> str:
    """Text with whitespace marked, escaped."""
    return "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    if character in MARKS:
        rest = character if character == "\n" else ""
        return f'<span style="opacity: 0.5">{MARKS[character]}</span>{rest}'
    return escape(character if character.isprintable() else repr(character)[1:-1])


def _attribute(text: str) -> str:
    return escape(text).replace("\n", "&#10;")
