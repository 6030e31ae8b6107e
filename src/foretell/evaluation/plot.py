"""Quality against bytes as a picture: an SVG of points, one a model."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from foretell.analysis.pictures import save_picture, xml
from foretell.evaluation.results import ModelQuality, Quality

WIDTH, HEIGHT = 920, 480
LEFT, RIGHT, TOP, BOTTOM = 90, 190, 96, 60
MAX_NAME = 28
LEAST = 1e-7
"""Nats below which two distributions are drawn as equal."""

STYLE = """
text{font:13px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2328}
.title{font-size:17px;font-weight:600}.quiet{fill:#59636e;font-size:12px}
.page{fill:#ffffff}.grid{stroke:#e9edf2}.bar{stroke:#2f6fde}.point{fill:#2f6fde}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9da7b3}
.page{fill:#14171c}.grid{stroke:#2a3038}.bar{stroke:#6ea8fe}.point{fill:#6ea8fe}}
"""


class _Scales:
    """Where sizes and divergences lie: the former from 0, the latter by powers of ten."""

    def __init__(self, models: list[ModelQuality]) -> None:
        self.most = 1.1 * max(1, *(one.weight_bytes for one in models))
        klds = [max(LEAST, one.divergence.mean_kld.value) for one in models]
        self.low = math.floor(math.log10(min(klds)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(klds))))

    def x(self, size: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * size / self.most

    def y(self, kld: float) -> float:
        share = (math.log10(max(LEAST, kld)) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(1.0, max(0.0, share))


def quality_svg(found: Quality) -> str:
    """Mean KL divergence of each model against its bytes, 920 units wide."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>Quality against bytes</title><style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
        _text(20, 30, "Quality against bytes", "title"),
        _text(20, 50, f"beside {_short(found.reference)}; lower is nearer to it", "quiet"),
    ]
    if found.models:
        scales = _Scales(found.models)
        parts += [*_grid(scales)]
        for one in found.models:
            parts += [*_point(one, scales)]
    return "\n".join([*parts, "</svg>", ""])


def _grid(scales: _Scales) -> Iterator[str]:
    """Lines of equal divergence and of equal size, with their numbers."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for power in range(scales.low, scales.high + 1):
        y = scales.y(10.0**power)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
        yield _text(LEFT - 8, y + 4, f"{10.0**power:g}", "quiet", "end")
    step = _step(scales.most / 1e6)
    for number in range(int(scales.most / 1e6 / step) + 1):
        x = scales.x(number * step * 1e6)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield _text(x, bottom + 18, f"{number * step:g}", "quiet", "middle")
    middle = (LEFT + right) / 2
    yield _text(middle, bottom + 42, "weights that a step reads, MB", "quiet", "middle")
    yield _text(20, TOP - 16, "mean KLD, nats", "quiet")


def _step(most: float) -> float:
    """A round number that goes into `most` four to ten times."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(power * one for one in (2, 1, 0.5, 0.2, 0.1) if most / (power * one) >= 4)


def _point(one: ModelQuality, scales: _Scales) -> Iterator[str]:
    """A model: its point, the standard error as a line through it, and its name."""
    figure = one.divergence.mean_kld
    x, y = scales.x(one.weight_bytes), scales.y(figure.value)
    error = figure.error or 0.0
    ends = scales.y(figure.value + error), scales.y(figure.value - error)
    yield f'<line class="bar" x1="{x:.1f}" y1="{ends[0]:.1f}" x2="{x:.1f}" y2="{ends[1]:.1f}"/>'
    tip = f"{_last(one.name)}: {one.weight_bytes / 1e6:.1f} MB, mean KLD {figure.value:.3g}"
    circle = f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="5">'
    yield f"{circle}<title>{xml(tip)}</title></circle>"
    yield _text(x + 10, y + 4, _short(one.name), "")


def _last(name: str) -> str:
    """A name without its folder."""
    return Path(name).name or name


def _short(name: str) -> str:
    """The same, not too long."""
    last = _last(name)
    return last if len(last) <= MAX_NAME else f"…{last[1 - MAX_NAME :]}"


def _text(x: float, y: float, content: str, kind: str, anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{xml(content)}</text>'
    )


def save_plot(found: Quality, path: str | os.PathLike[str]) -> None:
    """Write the picture as SVG or PNG, by the path's suffix; see `save_picture`."""
    save_picture(quality_svg(found), path)
