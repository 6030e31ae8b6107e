"""A comparison as a picture: an SVG of bars, and where asked for a PNG of it.

The strategies are rows, the figures columns of bars; shares are drawn on a scale from 0 to 1, the
others up to the largest. Colours follow the reader's light or dark mode; a PNG is light.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from foretell.analysis.compare.comparison import Comparison
from foretell.analysis.compare.figures import Figures
from foretell.analysis.compare.tables import MISSING, cut, show_perplexity, show_share
from foretell.analysis.pictures import save_picture, xml

WIDTH = 920
MARGIN = 20
LABEL = 150  # width of the strategies' names
COLUMN = 183  # width of a figure's column, with the gap after it
TRACK = 118  # width of its longest bar
ROW = 24
BAR = 12
HEAD = 70  # height of title and prompt
BAND_HEAD = 34  # height of a band's headings
MAX_NAME = 18  # characters of a common width, a wide one counts as two
MAX_PROMPT = 80
MAX_MODEL = 90

STYLE = """
text{font:13px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2328}
.title{font-size:17px;font-weight:600}.quiet{fill:#59636e;font-size:12px}
.head{font-weight:600;font-size:12px}
.page{fill:#ffffff}.track{fill:#e9edf2}.bar{fill:#2f6fde}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9da7b3}
.page{fill:#14171c}.track{fill:#2a3038}.bar{fill:#6ea8fe}}
"""

Value = float | None


@dataclass(frozen=True)
class Panel:
    """One column of bars.

    Attributes:
        heading: what it shows.
        value: the figure.
        show: the figure as text.
        length: what the bar's length is proportional to; the figure itself as a rule.
        full: the length of a full bar; None for the largest there is.
    """

    heading: str
    value: Callable[[Figures], Value]
    show: Callable[[Value], str]
    length: Callable[[float], float] = float
    full: float | None = None


def _one_decimal(value: Value) -> str:
    return MISSING if value is None else f"{value:.1f}"


def _share(heading: str, value: Callable[[Figures], Value]) -> Panel:
    return Panel(heading, value, show_share, full=1.0)


BANDS = (
    (
        Panel(
            "perplexity (log scale)",
            lambda figures: figures.perplexity,
            show_perplexity,
            lambda value: math.log(max(value, 1.0)),
        ),
        _share("repeated 4-grams", lambda figures: figures.repeated_ngrams),
        _share("agreement of seeds", lambda figures: figures.agreement),
        Panel("tokens a run", lambda figures: figures.mean_length, _one_decimal),
    ),
    (
        _share("distinct-1", lambda figures: figures.distinct_1),
        _share("distinct-2", lambda figures: figures.distinct_2),
        _share("distinct-3", lambda figures: figures.distinct_3),
    ),
)


def comparison_svg(comparison: Comparison) -> str:
    """The figures of a comparison as an SVG document, 920 units wide."""
    band_height = BAND_HEAD + ROW * len(comparison.results)
    height = HEAD + len(BANDS) * (band_height + MARGIN)
    prompt = cut(comparison.prompt, MAX_PROMPT)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        f"<title>Strategies compared</title><style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        _text(MARGIN, 30, f"“{prompt}”", "title"),
        _text(
            MARGIN, 50, f"{cut(comparison.model, MAX_MODEL)} · perplexity of the raw model", "quiet"
        ),
    ]
    for number, panels in enumerate(BANDS):
        parts += _band(comparison, panels, HEAD + number * (band_height + MARGIN))
    return "\n".join([*parts, "</svg>", ""])


def _band(comparison: Comparison, panels: tuple[Panel, ...], top: float) -> Iterator[str]:
    """Some figures of all strategies, whose names stand on the left."""
    for row, result in enumerate(comparison.results):
        yield _text(MARGIN, _baseline(top, row), cut(result.name, MAX_NAME), "", result.name)
    for number, panel in enumerate(panels):
        left = MARGIN + LABEL + number * COLUMN
        yield _text(left, top + 20, panel.heading, "head")
        yield from _bars(panel, [result.figures for result in comparison.results], left, top)


def _bars(panel: Panel, rows: list[Figures], left: float, top: float) -> Iterator[str]:
    values = [panel.value(figures) for figures in rows]
    lengths = [_length(panel, value) for value in values]
    full = panel.full or max(lengths, default=0.0) or 1.0
    for row, (value, length) in enumerate(zip(values, lengths, strict=True)):
        baseline = _baseline(top, row)
        yield _rectangle("track", left, baseline - BAR + 1, TRACK)
        if length:
            yield _rectangle("bar", left, baseline - BAR + 1, TRACK * length / full)
        yield _text(left + TRACK + 6, baseline, panel.show(value), "quiet")


def _length(panel: Panel, value: Value) -> float:
    """A finite length ≥ 0; a figure that is missing or infinite has no bar."""
    return panel.length(value) if value is not None and math.isfinite(value) else 0.0


def _baseline(top: float, row: int) -> float:
    return top + BAND_HEAD + ROW * row + 12


def _rectangle(kind: str, left: float, top: float, width: float) -> str:
    return (
        f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{width:.2f}" height="{BAR}" rx="2"/>'
    )


def _text(left: float, baseline: float, content: str, kind: str, tip: str = "") -> str:
    title = f"<title>{xml(tip)}</title>" if tip else ""
    return f'<text class="{kind}" x="{left:g}" y="{baseline:g}">{title}{xml(content)}</text>'


def save_plot(comparison: Comparison, path: str | os.PathLike[str]) -> None:
    """Write the picture as SVG or PNG, by the path's suffix; see `save_picture`."""
    save_picture(comparison_svg(comparison), path)
