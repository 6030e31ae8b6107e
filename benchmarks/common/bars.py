"""Speeds of many engines as a picture: an SVG with a panel for each model and work of `peers.py`.

Bars are medians, thin lines reach from the least to the most. Colours follow the reader's light or
dark mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from benchmarks.common.chart import words

WIDTH = 820
MARGIN, HEAD, FOOT = 20, 70, 34
COLUMNS = 2
GAP = 30  # between panels
LABELS, FIGURES = 150, 52  # widths of the names before the bars, and of the figures behind them
BAR, STEP = 12, 18
PANEL_HEAD = 26
SHOWN = ("decode", "prefill-512", "many-8")

STYLE = """
text{font:12px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2328}
.title{font-size:17px;font-weight:600}.panel{font-weight:600}.quiet{fill:#59636e}
.page{fill:#ffffff}.ours{fill:#2f6fde}.theirs{fill:#a9b1ba}.range{stroke:#1f2328;stroke-width:1}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9da7b3}.page{fill:#14171c}
.ours{fill:#6ea8fe}.theirs{fill:#5b6570}.range{stroke:#e6edf3}}
"""

Spread = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """A model's engines at one work, the fastest first."""

    title: str
    bars: tuple[tuple[str, Spread], ...]

    @property
    def height(self) -> int:
        """Height in pixels."""
        return PANEL_HEAD + STEP * len(self.bars)


def panels(result: dict[str, Any]) -> Iterator[Panel]:
    """The panels of a result, work by work."""
    for work in SHOWN:
        for model in result["models"].values():
            found = {
                name: one for name, one in model["works"].get(work, {}).items() if "median" in one
            }
            if len(found) > 1:
                bars = sorted(found.items(), key=lambda item: -item[1]["median"])
                yield Panel(f"{model['title']}: {result['works'][work]}", tuple(bars))


def peers_svg(result: dict[str, Any]) -> str:
    """The speeds of a result of `peers.py` as an SVG document."""
    found = [*panels(result)]
    rows = [found[start : start + COLUMNS] for start in range(0, len(found), COLUMNS)]
    heights = [max(panel.height for panel in row) for row in rows]
    height = HEAD + sum(heights) + GAP * max(0, len(rows) - 1) + FOOT
    parts = [*_head(result, height)]
    width = (WIDTH - 2 * MARGIN - GAP * (COLUMNS - 1)) / COLUMNS
    top = HEAD
    for row, tall in zip(rows, heights, strict=True):
        for column, panel in enumerate(row):
            parts += _panel(panel, MARGIN + column * (width + GAP), top, width)
        top += tall + GAP
    return "\n".join([*parts, "</svg>", ""])


def _head(result: dict[str, Any], height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">'
    )
    yield f"<title>Tokens per second of foretell and its peers</title><style>{STYLE}</style>"
    yield f'<rect class="page" width="{WIDTH}" height="{height}"/>'
    yield words(MARGIN, 28, "Tokens per second", "title")
    about = f"{result['machine']['cpu']}, {result['threads']} threads, medians of up to "
    yield words(MARGIN, 48, f"{about}{result['rounds']} rounds", "quiet")
    commit = f"commit {result['commit'][:9]}, {result['date'][:10]}"
    yield words(WIDTH - MARGIN, height - 12, commit, "quiet", "end")


def _panel(panel: Panel, left: float, top: float, width: float) -> Iterator[str]:
    yield words(left, top + 12, panel.title, "panel")
    start, room = left + LABELS, width - LABELS - FIGURES
    most = max(one["max"] for _, one in panel.bars)
    for index, (name, one) in enumerate(panel.bars):
        y = top + PANEL_HEAD + index * STEP
        kind = "ours" if name.startswith("foretell") else "theirs"
        middle = y + BAR / 2
        low, high, length = (one[key] / most * room for key in ("min", "max", "median"))
        yield words(start - 8, y + 10, name, "", "end")
        yield (
            f'<rect class="{kind}" x="{start:.1f}" y="{y}" width="{length:.1f}" height="{BAR}">'
            f"<title>{escape(name)}: {one['median']:,.4g} tokens/s</title></rect>"
        )
        yield f'<path class="range" d="M{start + low:.1f} {middle}H{start + high:.1f}"/>'
        yield words(start + max(high, length) + 6, y + 10, _figure(one["median"]), "quiet")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.2g}"
