"""Bars of progress: on a terminal's stderr or in a notebook, and how to be rid of them.

`foretell.set_progress(False)`, or FORETELL_PROGRESS=0 in the environment, turns all of them off.

A notebook's bar is HTML that is replaced as it grows: it needs no widgets, and no script.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from html import escape
from time import perf_counter
from typing import Any, Literal

from foretell.utils.terminal import is_terminal

Unit = Literal["bytes", "steps", "texts", "tokens"]

ShowProgress = Callable[[int, str], None]
"""Called with how much is done, and a few words on it."""

DELAY = 2.0  # seconds before a bar that nobody asked for
INTERVAL = 0.2  # seconds between two changes of a notebook's bar
OFF = ("0", "false", "no", "off")


class _Choice:
    """What `set_progress` said last; None leaves it to the environment."""

    shown: bool | None = None


def set_progress(shown: bool) -> None:
    """Turn all bars of progress of this process off, or on again where they are usual.

    FORETELL_PROGRESS=0 in the environment turns them off from the start. Messages are another
    matter: they go to the logger "foretell" of Python's `logging`.
    """
    _Choice.shown = bool(shown)


def may_show() -> bool:
    """Whether bars may be shown at all."""
    if _Choice.shown is not None:
        return _Choice.shown
    return os.environ.get("FORETELL_PROGRESS", "").strip().lower() not in OFF


def is_notebook() -> bool:
    """Whether the program runs in a notebook's kernel, rather than in a terminal's IPython."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython is not None and hasattr(get_ipython(), "kernel")


def may_show_on_terminal() -> bool:
    """Whether bars may be shown, and stderr is a terminal."""
    return may_show() and is_terminal(sys.stderr)


def show_line(text: str) -> None:
    """A line on stderr, where a bar would not be seen."""
    print(text, file=sys.stderr, flush=True)


def is_watched() -> bool:
    """Whether somebody may want to see a bar, and can."""
    return may_show_on_terminal() or (may_show() and is_notebook())


def is_wanted(asked: bool | None) -> bool:
    """Whether a bar is to be shown; None wants one in a notebook alone."""
    return may_show() and (is_notebook() if asked is None else asked)


@contextlib.contextmanager
def open_bar(
    title: str,
    total: int,
    unit: Unit,
    *,
    asked: bool | None = None,
    done: int = 0,
    stays: bool = False,
) -> Iterator[ShowProgress]:
    """A bar while the block runs. The yielded function takes how much is done, and a word on it.

    Args:
        title: what is being done.
        total: how much there is.
        unit: of what.
        asked: whether the user asked for it; None shows it in a notebook alone, after a while.
        done: how much is done already.
        stays: whether a terminal's bar is left there at the end.
    """
    if not is_wanted(asked):
        yield _ignore
        return
    if is_notebook():
        bar = _NotebookBar(title, total, unit, delay=0.0 if asked else DELAY)
        bar.show(done, "")
        with contextlib.closing(bar):
            yield bar.show
        return
    with _terminal_bar(title, total, unit, done, stays=stays) as show:
        yield show


def _ignore(done: int, words: str) -> None:
    return


@contextlib.contextmanager
def _terminal_bar(
    title: str, total: int, unit: Unit, done: int, *, stays: bool
) -> Iterator[ShowProgress]:
    from rich import progress
    from rich.console import Console

    amounts = [progress.DownloadColumn(), progress.TransferSpeedColumn()]
    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        *(amounts if unit == "bytes" else [progress.MofNCompleteColumn()]),
        progress.TimeRemainingColumn(compact=True),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=not stays) as bar:
        task = bar.add_task(title, total=total, completed=done)

        def show(now: int, words: str) -> None:
            bar.update(task, completed=now, description=f"{title}: {words}" if words else title)

        yield show


class _NotebookBar:
    """A bar below a notebook's cell, from when it is due until it is closed."""

    def __init__(self, title: str, total: int, unit: Unit, delay: float) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._due = perf_counter() + delay
        self._handle: Any = None

    def show(self, done: int, words: str) -> None:
        """Draw it, unless it has been drawn just now."""
        if perf_counter() < self._due:
            return
        self._due = perf_counter() + INTERVAL
        self._draw(_Drawing(self._text(done, words), done, self._total))

    def close(self) -> None:
        """Take it away."""
        if self._handle is not None:
            self._draw(_Drawing("", 0, 0))

    def _text(self, done: int, words: str) -> str:
        amount = f"{done} of {self._total} {self._unit}"
        if self._unit == "bytes":
            amount = f"{done / 1e6:.1f} of {self._total / 1e6:.1f} MB"
        return ", ".join(filter(None, (f"{self._title}: {amount}", words)))

    def _draw(self, drawing: _Drawing) -> None:
        if self._handle is None:
            display = importlib.import_module("IPython.display").display
            self._handle = display(drawing, display_id=True)
        else:
            self._handle.update(drawing)


class _Drawing:
    """A bar as a notebook shows it at one moment; nothing for an empty text."""

    def __init__(self, text: str, done: int, total: int) -> None:
        self._text, self._done, self._total = text, done, total

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        if not self._text:
            return ""
        value = f'value="{self._done}" max="{max(self._total, 1)}"'
        return f"<div><progress {value}></progress> {escape(self._text)}</div>"
