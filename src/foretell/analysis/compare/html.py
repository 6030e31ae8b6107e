"""A comparison as HTML: the figures, the settings, and the texts of each strategy."""

from __future__ import annotations

from collections.abc import Sequence

from foretell.analysis.compare.results import Run, StrategyResult
from foretell.analysis.compare.tables import COLUMNS, LEGEND, spelled_settings
from foretell.utils.display import cut_whole
from foretell.utils.html import details, frame, plain_flow, table


def fragment(prompt: str, model: str, results: Sequence[StrategyResult]) -> str:
    """The whole comparison; the texts open strategy by strategy, the first is open."""
    shared, own = spelled_settings([result.config for result in results])
    headings = ("strategy", *(column.heading for column in COLUMNS), "settings")
    rows = [
        (result.name, *(column.show(result) for column in COLUMNS), settings)
        for result, settings in zip(results, own, strict=True)
    ]
    figures = table(headings, rows, left=(0,), wide=(len(headings) - 1,))
    texts = "".join(
        details(f"texts of {result.name}", _texts(result), is_open=index == 0)
        for index, result in enumerate(results)
    )
    notes = [f"{model}{f'; all with {shared}' if shared else ''}", *LEGEND]
    return frame(plain_flow(prompt, ""), figures, texts, notes=notes)


def _texts(result: StrategyResult) -> str:
    return table(("seed", "ended by", "text"), map(_text, result.runs), left=(1,), wide=(2,))


def _text(run: Run) -> tuple[str, ...]:
    seed = "" if run.seed is None else str(run.seed)
    return (seed, run.finish_reason, cut_whole(run.text))
