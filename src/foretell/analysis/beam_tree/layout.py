"""Where the parts of a beam tree lie in a picture: a column a step, and no two lines cross."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from foretell.analysis.beam_tree.results import BeamCandidate, TreeStep
from foretell.utils.display import pad, show_figure, show_token, width_of

MAX_TOKEN = 16  # columns of text
CHARACTER = 7.3  # units of width a column of text takes
PADDING = 9
GAP = 46  # between columns
ROW = 29
MAX_LEAVES = 400  # candidates that fell, above which they are left out


@dataclass(eq=False)
class TreeNode:
    """A candidate in the picture, or the prompt.

    Attributes:
        text: the token, as it is shown; cut where it is long.
        figure: its sum; of a finished text the number and the score as well.
        candidate: what it is; None for the prompt.
        parent: what it goes on from; None for the prompt.
        group: its group of beams, where there are groups.
        is_best: whether it is on the way to the best text.
        x, y: its left end, and the middle of its height.
        width: of its box.
    """

    text: str
    figure: str
    candidate: BeamCandidate | None = None
    parent: TreeNode | None = None
    group: int | None = None
    is_best: bool = False
    x: float = 0.0
    y: float = 0.0
    width: float = field(init=False)

    def __post_init__(self) -> None:
        columns = width_of(self.text) + (width_of(self.figure) + 1 if self.figure else 0)
        self.width = columns * CHARACTER + 2 * PADDING


@dataclass(frozen=True)
class Layout:
    """A picture's nodes, column by column; its size; and how many candidates were left out."""

    columns: list[list[TreeNode]]
    width: float
    height: float
    num_left_out: int


def lay_out(prompt: str, steps: Sequence[TreeStep]) -> Layout:
    """Give each candidate its place: children beside their parent, as far as there is room.

    Runners-up are left out, and in a large tree all that fell.
    """
    fallen = sum(one.fate == "fell" for one in _candidates(steps))
    with_fallen = fallen <= MAX_LEAVES
    columns = _columns(prompt, steps, with_fallen=with_fallen)
    _mark_best(columns)
    for column in columns[1:]:
        _place(column)
    top = min(node.y for column in columns for node in column) - ROW / 2
    bottom = max(node.y for column in columns for node in column) + ROW / 2
    left = 0.0
    for column in columns:
        for node in column:
            node.x, node.y = left, node.y - top
        left += max(node.width for node in column) + GAP
    return Layout(columns, left - GAP, bottom - top, 0 if with_fallen else fallen)


def _candidates(steps: Sequence[TreeStep]) -> Iterator[BeamCandidate]:
    """All that the picture may show."""
    for step in steps:
        for beam in step.beams:
            yield from (one for one in beam.candidates if _is_shown(one))


def _is_shown(one: BeamCandidate) -> bool:
    return one.rank is not None or one.fate != "fell"


def _columns(prompt: str, steps: Sequence[TreeStep], *, with_fallen: bool) -> list[list[TreeNode]]:
    """The nodes, a column's in the order of their parents."""
    root = TreeNode(prompt, "")
    columns = [[root]]
    live = [root] * len(steps[0].beams)
    for step in steps:
        column: list[TreeNode] = []
        kept: dict[int, TreeNode] = {}
        order = {node: place for place, node in enumerate(columns[-1])}
        beams = sorted(zip(live, step.beams, strict=True), key=lambda pair: order[pair[0]])
        for parent, beam in beams:
            for one in beam.candidates:
                if one.fate == "fell" and not (with_fallen and _is_shown(one)):
                    continue
                node = _node(one, parent, beam.group)
                column.append(node)
                if one.beam is not None:
                    kept[one.beam] = node
        live = [kept[number] for number in sorted(kept)]
        if column:
            columns.append(column)
    return columns


def _node(one: BeamCandidate, parent: TreeNode, group: int | None) -> TreeNode:
    text = pad(show_token(one.token), MAX_TOKEN).rstrip()
    figure = show_figure(one.total)
    if one.hypothesis is not None and one.score is not None:
        figure = f"{figure} → {one.hypothesis}: {show_figure(one.score)}"
    return TreeNode(f"• {text}" if one.is_forced else text, figure, one, parent, group)


def _mark_best(columns: Sequence[Sequence[TreeNode]]) -> None:
    for column in columns:
        for node in column:
            if node.candidate is not None and node.candidate.hypothesis == 0:
                mark: TreeNode | None = node
                while mark is not None:
                    mark.is_best, mark = True, mark.parent


def _place(column: Sequence[TreeNode]) -> None:
    """Put each family about its parent, and move families apart as little as can be.

    That is a regression on heights that rise by a row at least (pool adjacent violators).
    """
    blocks: list[tuple[float, int]] = []  # each a sum of wished heights, and how many
    for place, wished in enumerate(_wished(column)):
        total, number = wished - place * ROW, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / number:
            earlier, several = blocks.pop()
            total, number = total + earlier, number + several
        blocks.append((total, number))
    heights = [total / number for total, number in blocks for _ in range(number)]
    for place, (node, height) in enumerate(zip(column, heights, strict=True)):
        node.y = height + place * ROW


def _wished(column: Sequence[TreeNode]) -> Iterator[float]:
    """The heights at which the nodes would stand if each family were alone.

    What goes on is level with the parent, or where nothing does, the whole family.
    """
    for parent, group in groupby(column, key=lambda node: node.parent):
        family = [*group]
        fates = [None if node.candidate is None else node.candidate.fate for node in family]
        first = [place for place, fate in enumerate(fates) if fate != "fell"] or range(len(family))
        level = sum(first) / len(first)
        start = 0.0 if parent is None else parent.y
        yield from (start + (place - level) * ROW for place in range(len(family)))
