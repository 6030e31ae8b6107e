"""Throughput as a picture: an SVG with a line an engine, from a result of throughput.py.

    python -m benchmarks.common.chart results/2026-01-31-1200-throughput.json [PICTURE.svg]

Points are medians, bars reach from the least to the most. Colours follow the reader's light or dark
mode.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 820, 470
LEFT, RIGHT, TOP, BOTTOM = 64, 165, 76, 62  # margins of the plot
NUM_TICKS = 5
LABEL_GAP = 17  # least distance of the names at the right

STYLE = """
text{font:13px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2328}
.title{font-size:17px;font-weight:600}.quiet{fill:#59636e;font-size:12px}.page{fill:#ffffff}
.grid{stroke:#e1e5ea}.line{fill:none;stroke-width:2.5}.bar{stroke-width:1.5}
.a{stroke:#2f6fde}.b{stroke:#c4622d}.c{stroke:#6e7781}
.dot.a,.name.a{fill:#2f6fde}.dot.b,.name.b{fill:#c4622d}.dot.c,.name.c{fill:#6e7781}
.name{font-weight:600;stroke:none}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9da7b3}.page{fill:#14171c}
.grid{stroke:#2a3038}.a{stroke:#6ea8fe}.b{stroke:#f0965f}.c{stroke:#9da7b3}
.dot.a,.name.a{fill:#6ea8fe}.dot.b,.name.b{fill:#f0965f}.dot.c,.name.c{fill:#9da7b3}}
"""

Spread = dict[str, Any]


class Axes:
    """Places: numbers of sequences by their logarithm, tokens per second from zero."""

    def __init__(self, counts: list[int], most: float) -> None:
        self.counts = counts
        self.step = _round_step(most / NUM_TICKS)
        self.top = self.step * math.ceil(most / self.step)

    def x(self, count: int) -> float:
        """Where a number of sequences is."""
        low, high = math.log2(self.counts[0]), math.log2(self.counts[-1])
        share = (math.log2(count) - low) / (high - low) if high > low else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, speed: float) -> float:
        """Where a speed is."""
        return HEIGHT - BOTTOM - speed / self.top * (HEIGHT - TOP - BOTTOM)


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= least)


def throughput_svg(result: dict[str, Any]) -> str:
    """The totals of a result of throughput.py as an SVG document."""
    counts = sorted(map(int, result["sequences"]))
    names = list(result["sequences"][str(counts[0])])
    lines = {
        name: {count: result["sequences"][str(count)][name]["total"] for count in counts}
        for name in names
    }
    axes = Axes(counts, max(one["max"] for line in lines.values() for one in line.values()))
    parts = [*_head(result), *_grid(axes)]
    for kind, line in zip("abc", lines.values(), strict=False):
        parts += _line(axes, line, kind)
    parts += _names(axes, lines)
    return "\n".join([*parts, "</svg>", ""])


def _head(result: dict[str, Any]) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">'
    )
    yield f"<title>Tokens per second of many sequences</title><style>{STYLE}</style>"
    yield f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>'
    yield words(20, 30, "Tokens per second, all sequences together", "title")
    machine = result["machine"]
    about = f"{result['model']} · {machine['cpu']}, {result['threads']} threads"
    tokens = f"{result['prompt_tokens']} prompt and {result['tokens']} generated tokens each"
    yield words(20, 50, f"{about} · {tokens}", "quiet")
    commit = f"commit {result['commit'][:9]}, {result['date'][:10]}"
    yield words(WIDTH - 20, HEIGHT - 14, commit, "quiet", "end")


def _grid(axes: Axes) -> Iterator[str]:
    for tick in range(round(axes.top / axes.step) + 1):
        speed = tick * axes.step
        height = axes.y(speed)
        right = WIDTH - RIGHT
        yield f'<path class="grid" d="M{LEFT} {height:.1f}H{right}"/>'
        yield words(LEFT - 10, height + 4, f"{speed:,.10g}", "quiet", "end")
    for count in axes.counts:
        yield words(axes.x(count), HEIGHT - BOTTOM + 20, str(count), "quiet", "middle")
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield words(middle, HEIGHT - BOTTOM + 40, "sequences at once", "quiet", "middle")


def _line(axes: Axes, line: dict[int, Spread], kind: str) -> Iterator[str]:
    points = [f"{axes.x(count):.1f} {axes.y(one['median']):.1f}" for count, one in line.items()]
    yield f'<path class="line {kind}" d="M{"L".join(points)}"/>'
    for count, one in line.items():
        x, y = axes.x(count), axes.y(one["median"])
        yield (
            f'<path class="bar {kind}" d="M{x:.1f} {axes.y(one["min"]):.1f}'
            f'V{axes.y(one["max"]):.1f}"/>'
        )
        tip = f"<title>{count}: {one['median']:,.0f} tokens/s</title>"
        yield f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="4">{tip}</circle>'


def _names(axes: Axes, lines: dict[str, dict[int, Spread]]) -> Iterator[str]:
    """Each line's name and last figure at its right end, pushed apart where they would touch."""
    ends = [
        (axes.y(line[axes.counts[-1]]["median"]), kind, name)
        for kind, (name, line) in zip("abc", lines.items(), strict=False)
    ]
    lowest = math.inf
    for height, kind, name in sorted(ends, reverse=True):
        lowest = min(height, lowest - LABEL_GAP)
        last = lines[name][axes.counts[-1]]["median"]
        label = f"{name} {last:,.0f}"
        yield words(axes.x(axes.counts[-1]) + 12, lowest + 4, label, f"name {kind}")


def words(x: float, y: float, content: str, kind: str, anchor: str = "start") -> str:
    """A text as an SVG element; `kind` names its classes in the style."""
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(content)}</text>"
    )


def save_chart(result: Path, picture: Path) -> None:
    """Draw a result of throughput.py."""
    picture.write_text(throughput_svg(json.loads(result.read_text())), encoding="utf-8")
    print(f"written: {picture}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    source = Path(sys.argv[1])
    save_chart(source, Path(sys.argv[2]) if len(sys.argv) == 3 else source.with_suffix(".svg"))
