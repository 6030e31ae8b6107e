"""A comparison as text and as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from foretell.analysis.compare.results import StrategyResult
from foretell.config import GenerationConfig
from foretell.outputs import spell_settings
from foretell.utils.display import COLUMNS as TERMINAL_COLUMNS
from foretell.utils.display import cut_whole
from foretell.utils.quoting import escape

MISSING = "–"
MAX_NAME = 18  # terminal columns

LEGEND = (
    "means over the runs of a strategy",
    "len: tokens a run · logprob (of a token), perpl(exity): of the raw model",
    "d-n: distinct n-grams · rep: repeated 4-grams · agree: same tokens across seeds",
)


@dataclass(frozen=True)
class Column:
    """One figure in a table: its heading, its width in characters, and how it is shown.

    Where there is no room for all, those of the highest `dispensable` are left out first.
    """

    heading: str
    columns: int
    show: Callable[[StrategyResult], str]
    dispensable: int


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
    Column("runs", 4, lambda result: str(len(result.runs)), 6),
    Column("len", 6, lambda result: f"{result.figures.mean_length:.1f}", 1),
    Column("logprob", 7, lambda result: show_share(result.figures.mean_logprob), 3),
    Column("perpl", 7, lambda result: show_perplexity(result.figures.perplexity), 0),
    Column("d-1", 4, lambda result: show_share(result.figures.distinct_1), 7),
    Column("d-2", 4, lambda result: show_share(result.figures.distinct_2), 2),
    Column("d-3", 4, lambda result: show_share(result.figures.distinct_3), 8),
    Column("rep", 4, lambda result: show_share(result.figures.repeated_ngrams), 4),
    Column("agree", 5, lambda result: show_share(result.figures.agreement), 5),
)


def cut(text: str, columns: int) -> str:
    """The text in one line, with an ellipsis where it is wider than this many columns."""
    from rich.cells import cell_len, set_cell_size

    line = " ".join(text.split())
    return line if cell_len(line) <= columns else set_cell_size(line, columns - 1).rstrip() + "…"


def table_lines(results: Sequence[StrategyResult], columns: int = TERMINAL_COLUMNS) -> list[str]:
    """The figures, a strategy a line, in 80 columns or fewer; below, what they and settings are."""
    from rich.cells import cell_len, set_cell_size

    width = min(columns, TERMINAL_COLUMNS)
    names = [escape(result.name) for result in results]
    room = min(MAX_NAME, max(8, *map(cell_len, names)))
    shown = _columns_that_fit(width - room)
    heading = " ".join(f"{column.heading:>{column.columns}}" for column in shown)
    lines = [f"{'strategy':<{room}} {heading}"]
    for name, result in zip(names, results, strict=True):
        cells = " ".join(f"{column.show(result):>{column.columns}}" for column in shown)
        lines.append(f"{set_cell_size(cut(name, room), room)} {cells}")
    legend = [line for text in LEGEND for line in wrap(text, width)]
    return [*lines, "", *legend, "", *_settings_lines(results, width)]


def _columns_that_fit(columns: int) -> list[Column]:
    """As many of the figures as there is room for, a space before each."""
    shown = list(COLUMNS)
    while len(shown) > 1 and sum(column.columns + 1 for column in shown) > columns:
        shown.remove(max(shown, key=lambda column: column.dispensable))
    return shown


def _settings_lines(results: Sequence[StrategyResult], columns: int) -> Iterator[str]:
    """Each strategy's settings; those that all have stand once."""
    shared, own = spelled_settings([result.config for result in results])
    if shared:
        yield from _hung("all", shared, columns)
    for result, settings in zip(results, own, strict=True):
        yield from _hung(escape(result.name), settings or "no setting of its own", columns)


def _hung(name: str, text: str, columns: int) -> Iterator[str]:
    """`name: text` in this many columns, further lines indented."""
    first, *others = wrap(f"{name}: {escape(text)}", columns - 2) or [""]
    yield first
    for line in others:
        yield from (f"  {part}" for part in wrap(line, columns - 4))


def spelled_settings(configs: Sequence[GenerationConfig]) -> tuple[str, list[str]]:
    """The settings that all of several have alike, and what each has besides."""
    stated = [config.as_dict() for config in configs]
    first = stated[0] if len(stated) > 1 else {}
    alike = {name for name, value in first.items() if all(one.get(name) == value for one in stated)}
    own = [[name for name in one if name not in alike] for one in stated]
    shared = spell_settings({name: first[name] for name in first if name in alike})
    pairs = zip(stated, own, strict=True)
    return shared, [spell_settings({name: one[name] for name in names}) for one, names in pairs]


def comparison_lines(
    results: Sequence[StrategyResult], columns: int = TERMINAL_COLUMNS
) -> list[str]:
    """The table of the figures, and below it the texts."""
    return [*table_lines(results, columns), *text_lines(results, columns)]


def text_lines(results: Sequence[StrategyResult], columns: int) -> Iterator[str]:
    """The texts, each below its strategy and seed, wrapped to this many terminal columns."""
    for result in results:
        for run in result.runs:
            seed = "" if run.seed is None else f", seed {run.seed}"
            yield ""
            yield f"── {escape(result.name)}{seed} ({run.finish_reason})"
            yield from _wrapped(cut_whole(run.text), columns)


def _wrapped(text: str, columns: int) -> Iterator[str]:
    for line in text.split("\n"):
        if not line:
            yield ""
        yield from (f"   {part}".rstrip() for part in wrap(escape(line), max(columns - 3, 10)))


def wrap(text: str, columns: int) -> list[str]:
    """One line as several, of at most this many terminal columns, broken at spaces if it can."""
    from rich.console import Console
    from rich.text import Text

    console = Console(width=columns, color_system=None)
    return [part.plain.rstrip() for part in Text(text).wrap(console, columns)]
