"""How far a job has come: rows, their rate, the time that is left; as a bar, or as lines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from time import perf_counter

from foretell.utils.progress import (
    ShowProgress,
    is_notebook,
    is_wanted,
    is_watched,
    open_bar,
    show_line,
)

INTERVAL = 60.0
"""Seconds between two lines where nobody sees a bar."""

SPARED = 50


class Pace:
    """Counts rows, and tells of them.

    Args:
        total: rows that are to be answered.
        show: takes how many are, and a few words.
        tells_left: whether the words have the time that is left; a terminal's bar has it itself.
    """

    def __init__(self, total: int, show: ShowProgress, *, tells_left: bool) -> None:
        self._total, self._show, self._tells_left = total, show, tells_left
        self._first: tuple[int, float] | None = None  # rows at the first look, and when that was
        self._done = self._refused = 0

    def add(self, answered: int, refused: int) -> None:
        """Count rows."""
        self.reach(self._done + answered, refused)

    def reach(self, done: int, refused: int = 0) -> None:
        """So many are answered in all, and so many more refused."""
        self._done, self._refused = done, self._refused + refused
        self._show(done, self._words(perf_counter()))

    def _words(self, now: float) -> str:
        words = [f"{self._refused} refused"] if self._refused else []
        if self._first is None:
            self._first = self._done, now
        first, begun = self._first
        if self._done > first and now > begun:
            rate = (self._done - first) / (now - begun)
            words.append(f"{rate:.{1 if rate < 100 else 0}f} rows/s")
            if self._tells_left:
                words.append(f"{in_words((self._total - self._done) / rate)} left")
        return ", ".join(words)


def sparing(look: Callable[[], object]) -> Callable[[], None]:
    """A look that is passed over where it would take more than 1 / `SPARED` of the time."""
    due = 0.0

    def call() -> None:
        nonlocal due
        begun = perf_counter()
        if begun >= due:
            look()
            ended = perf_counter()
            due = ended + SPARED * (ended - begun)

    return call


def in_words(seconds: float) -> str:
    """A time, to about a tenth of it."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{0 if seconds >= 10 * size else 1}f} {unit}"
    return f"{seconds:.0f} s"


@contextlib.contextmanager
def open_pace(total: int, asked: bool | None) -> Iterator[Pace]:
    """A bar for so many rows; where it is asked for and nobody sees bars, a line now and then.

    Args:
        total: rows that are to be answered.
        asked: whether progress is to be told; None: in a notebook alone.
    """
    if asked and not is_watched() and is_wanted(True):
        yield Pace(total, _lines(total), tells_left=True)
        return
    with open_bar("rows", total, "texts", asked=asked, stays=True) as show:
        yield Pace(total, show, tells_left=is_notebook())


def _lines(total: int) -> Callable[[int, str], None]:
    told = perf_counter()

    def show(done: int, words: str) -> None:
        nonlocal told
        if perf_counter() - told >= INTERVAL:
            told = perf_counter()
            show_line(f"{done} of {total} rows, {words}")

    return show
