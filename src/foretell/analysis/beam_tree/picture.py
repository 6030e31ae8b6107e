"""A beam tree as an SVG: what was kept, what was finished, what fell, and the way to the best text.

A column a step. In a file, colours follow the reader's light or dark mode; in a notebook they are
those of the view around the picture.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import Protocol

from foretell.analysis.beam_tree.layout import GAP, PADDING, Layout, TreeNode, lay_out
from foretell.analysis.beam_tree.results import BeamHypothesis, TreeStep
from foretell.analysis.pictures import save_picture, xml
from foretell.utils.display import count, cut_beginning, pad, show_figure, show_text
from foretell.utils.html import DARK, LIGHT, tree_rules


class Drawable(Protocol):
    """What is drawn of a tree: its prompt, steps and texts."""

    @property
    def prompt(self) -> str: ...  # noqa: D102
    @property
    def steps(self) -> Sequence[TreeStep]: ...  # noqa: D102
    @property
    def hypotheses(self) -> Sequence[BeamHypothesis]: ...  # noqa: D102


MARGIN = 20
BOX = 22
LINE = 19
HEAD = 34
MAX_PROMPT = 28  # columns of text
MIN_WIDTH = 560
TEXT_CHARACTER = 7.3
FIGURES = 31  # columns before a text in the list

GROUPS = ("#1a7f37", "#bf5af2", "#e36209", "#0891b2", "#d6336c", "#9a7700")
"""Colours of groups of beams, legible on light and on dark pages; they come again."""


def tree_svg(tree: Drawable) -> str:
    """The tree as an SVG document of its own."""
    style = f"{tree_rules(LIGHT)}@media(prefers-color-scheme:dark){{{tree_rules(DARK)}}}"
    return _picture(tree.prompt, tree.steps, tree.hypotheses, f"<style>{style}</style>")


def tree_figure(prompt: str, steps: Sequence[TreeStep]) -> str:
    """The tree as an SVG within a notebook's view, whose style sheet it has, and its texts."""
    return _picture(prompt, steps, (), "")


def save_tree(tree: Drawable, path: str | os.PathLike[str]) -> None:
    """Write the picture as SVG or PNG, by the path's suffix; see `save_picture`."""
    save_picture(tree_svg(tree), path)


def _picture(
    prompt: str, steps: Sequence[TreeStep], hypotheses: Sequence[BeamHypothesis], style: str
) -> str:
    shown = cut_beginning(show_text(prompt), MAX_PROMPT)
    layout = lay_out(shown, steps)
    width = max(MIN_WIDTH, layout.width + 2 * MARGIN)
    listed = [*_list(hypotheses, width)]
    below = (len(listed) + 2) * LINE if listed else 0
    height = HEAD + layout.height + below + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ft-tree" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'role="img" fill="none" stroke="currentColor" font-family="monospace" font-size="12">',
        f"<title>Beam search after {xml(shown)}</title>{style}",
        f'<rect class="ft-page" width="{width:.0f}" height="{height:.0f}"/>',
        *_legend(layout),
        f'<g transform="translate({MARGIN} {HEAD})">',
        *_edges(layout),
        *_boxes(layout),
        "</g>",
        *_lines(listed, HEAD + layout.height + 2 * LINE),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _legend(layout: Layout) -> Iterator[str]:
    """What the kinds of boxes mean; and of the groups, whose colour is which."""
    left = float(MARGIN)
    for kind, words in (("kept", "kept"), ("finished", "a text"), ("fell", "fell")):
        yield f'<rect class="ft-{kind}" x="{left:g}" y="8" width="16" height="11" rx="4"/>'
        yield _text(left + 22, 18, words, "quiet")
        left += 22 + (len(words) + 2) * TEXT_CHARACTER
    yield f'<path class="ft-best" d="M{left:g} 13.5h18"/>'
    yield _text(left + 24, 18, "text 0", "quiet")
    left += 24 + 8 * TEXT_CHARACTER
    if layout.num_left_out:
        words = f"{count(layout.num_left_out, 'candidate')} that fell not shown"
        yield _text(left, 18, words, "quiet")
        left += (len(words) + 2) * TEXT_CHARACTER
    groups = {node.group for column in layout.columns for node in column if node.group is not None}
    for group in sorted(groups):
        yield _mark(left, 8, 11, group)
        yield _text(left + 10, 18, f"group {group}", "quiet")
        left += 10 + 10 * TEXT_CHARACTER


def _edges(layout: Layout) -> Iterator[str]:
    """Lines to the parents, the best text's last of all, so that nothing lies above it."""
    nodes = [node for column in layout.columns for node in column if node.parent is not None]
    for node in sorted(nodes, key=lambda node: (node.is_best, _kind(node) != "fell")):
        parent = node.parent
        if parent is None:
            continue
        start, end = parent.x + parent.width, node.x
        bend, middle = end - GAP, end - GAP / 2
        kind = "best" if node.is_best else _kind(node)
        thick = "" if kind in ("best", "fell") else f' style="stroke-width:{_thickness(node):.2f}"'
        yield (
            f'<path class="ft-{kind}"{thick} d="M{start:.1f} {parent.y:.1f}H{bend:.1f}'
            f'C{middle:.1f} {parent.y:.1f} {middle:.1f} {node.y:.1f} {end:.1f} {node.y:.1f}"/>'
        )


def _thickness(node: TreeNode) -> float:
    """The likelier the token, the thicker its line."""
    one = node.candidate
    return 1.0 if one is None else 0.8 + 2.4 * math.exp(min(0.0, one.logprob))


def _kind(node: TreeNode) -> str:
    return "kept" if node.candidate is None else node.candidate.fate


def _boxes(layout: Layout) -> Iterator[str]:
    for column in layout.columns:
        for node in column:
            yield from _box(node)


def _box(node: TreeNode) -> Iterator[str]:
    kinds = f"ft-{_kind(node)}" + (" ft-best" if node.is_best else "")
    yield "<g>"
    yield f"<title>{xml(_tip(node))}</title>"
    yield (
        f'<rect class="{kinds}" x="{node.x:.1f}" y="{node.y - BOX / 2:.1f}" '
        f'width="{node.width:.1f}" height="{BOX}" rx="7"/>'
    )
    if node.group is not None:
        yield _mark(node.x + 3, node.y - 6, 12, node.group)
    quiet = "quiet" if _kind(node) == "fell" else ""
    figure = f'<tspan class="ft-quiet"> {xml(node.figure)}</tspan>' if node.figure else ""
    yield _text(node.x + PADDING, node.y + 4, node.text, quiet, figure)
    yield "</g>"


def _tip(node: TreeNode) -> str:
    one = node.candidate
    if one is None:
        return "the prompt"
    rank = "" if one.rank is None else f", rank {one.rank}"
    told = f"log-probability {show_figure(one.logprob)}, sum {show_figure(one.total)}{rank}"
    if one.perturbed is not None:
        told += f", with noise {show_figure(one.perturbed)}"
    if one.bank is not None:
        told += f", bank {one.bank}"
    return f"{node.text}: {told}: {one.verdict}"


def _mark(left: float, top: float, height: float, group: int | None) -> str:
    colour = GROUPS[(group or 0) % len(GROUPS)]
    return (
        f'<rect class="ft-mark" style="fill:{colour}" x="{left:.1f}" y="{top:.1f}" width="4" '
        f'height="{height:g}" rx="2"/>'
    )


def _list(hypotheses: Sequence[BeamHypothesis], width: float) -> Iterator[str]:
    """The finished texts, a line each."""
    columns = int((width - 2 * MARGIN) / TEXT_CHARACTER) - FIGURES
    for number, one in enumerate(hypotheses):
        figures = f"{number:>3}  {show_figure(one.score):>9}  {one.stop_reason.kind:<14} "
        yield figures + pad(show_text(one.text), max(10, columns)).rstrip()


def _lines(lines: Sequence[str], top: float) -> Iterator[str]:
    if lines:
        yield _text(MARGIN, top, "texts, best first: number, score, end", "quiet")
    for place, line in enumerate(lines, 1):
        yield _text(MARGIN, top + place * LINE, line, "")


def _text(left: float, baseline: float, content: str, kind: str, more: str = "") -> str:
    name = f' class="ft-{kind}"' if kind else ""
    return (
        f'<text{name} fill="currentColor" stroke="none" xml:space="preserve" '
        f'x="{left:.1f}" y="{baseline:.1f}">'
        f"{xml(content)}{more}</text>"
    )
