"""A comparison as text and as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from foretell.analysis.compare.results import StrategyResult

MISSING = "–"
MAX_NAME = 18  # terminal columns

LEGEND = (
    "len: tokens a run · logprob (mean), perpl(exity): of the raw model",
    "d-n: distinct n-grams · rep: repeated 4-grams · agree: same tokens across seeds",
)


@dataclass(frozen=True)
class Column:
    """One figure in a table: its heading, its width in characters, and how it is shown."""

    heading: str
    columns: int
    show: Callable[[StrategyResult], str]


def show_share(value: float | None) -> str:
    """A share with two decimals."""
    return MISSING if value is None else f"{value:.2f}"


def show_perplexity(value: float | None) -> str:
    """At most seven characters of a number from 1 to infinity."""
    if value is None:
        return MISSING
    if value < 1000:
        return f"{value:.2f}"
    return f"{value:.0f}" if value < 1e6 else f"{value:.1e}"


COLUMNS = (
    Column("runs", 4, lambda result: str(len(result.runs))),
    Column("len", 6, lambda result: f"{result.figures.mean_length:.1f}"),
    Column("logprob", 7, lambda result: show_share(result.figures.mean_logprob)),
    Column("perpl", 7, lambda result: show_perplexity(result.figures.perplexity)),
    Column("d-1", 4, lambda result: show_share(result.figures.distinct_1)),
    Column("d-2", 4, lambda result: show_share(result.figures.distinct_2)),
    Column("d-3", 4, lambda result: show_share(result.figures.distinct_3)),
    Column("rep", 4, lambda result: show_share(result.figures.repeated_ngrams)),
    Column("agree", 5, lambda result: show_share(result.figures.agreement)),
    Column("tok/s", 6, lambda result: f"{result.figures.tokens_per_second:.1f}"),
)


def printable(text: str) -> str:
    """The text with all that could move a terminal's cursor, newlines included, escaped."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def cut(text: str, columns: int) -> str:
    """The text in one line, with an ellipsis where it is wider than this many columns."""
    from rich.cells import cell_len, set_cell_size

    line = " ".join(text.split())
    return line if cell_len(line) <= columns else set_cell_size(line, columns - 1).rstrip() + "…"


def table_lines(results: Sequence[StrategyResult]) -> list[str]:
    """The figures, a strategy a line, in 80 columns; what the headings mean stands below."""
    from rich.cells import cell_len, set_cell_size

    names = [printable(result.name) for result in results]
    room = min(MAX_NAME, max(8, *map(cell_len, names)))
    heading = " ".join(f"{column.heading:>{column.columns}}" for column in COLUMNS)
    lines = [f"{'strategy':<{room}} {heading}"]
    for name, result in zip(names, results, strict=True):
        cells = " ".join(f"{column.show(result):>{column.columns}}" for column in COLUMNS)
        lines.append(f"{set_cell_size(cut(name, room), room)} {cells}")
    return [*lines, "", *LEGEND]


def text_lines(results: Sequence[StrategyResult], columns: int) -> Iterator[str]:
    """The texts, each below its strategy and seed, wrapped to this many terminal columns."""
    for result in results:
        for run in result.runs:
            seed = "" if run.seed is None else f", seed {run.seed}"
            yield ""
            yield f"── {printable(result.name)}{seed} ({run.finish_reason})"
            yield from _wrapped(run.text, columns)


def _wrapped(text: str, columns: int) -> Iterator[str]:
    from rich.console import Console
    from rich.text import Text

    console = Console(width=columns, color_system=None)
    for line in text.split("\n"):
        if not line:
            yield ""
        for part in Text(printable(line)).wrap(console, max(columns - 3, 10)):
            yield f"   {part.plain}".rstrip()


def html_table(prompt: str, results: Sequence[StrategyResult]) -> str:
    """The figures and the texts as HTML; whatever a model or user wrote is escaped."""
    headings = "".join(f"<th>{column.heading}</th>" for column in COLUMNS)
    rows = "".join(map(_html_row, results))
    return (
        f"<p>Strategies over the prompt <q>{escape(prompt)}</q></p>"
        f"<table><thead><tr><th>strategy</th>{headings}<th>texts</th></tr></thead>"
        f"<tbody>{rows}</tbody></table><p><small>{'<br>'.join(LEGEND)}</small></p>"
    )


def _html_row(result: StrategyResult) -> str:
    cells = "".join(f"<td>{column.show(result)}</td>" for column in COLUMNS)
    style = "white-space:pre-wrap;text-align:left"
    texts = "<hr>".join(f'<div style="{style}">{escape(run.text)}</div>' for run in result.runs)
    return f"<tr><th>{escape(result.name)}</th>{cells}<td>{texts}</td></tr>"
