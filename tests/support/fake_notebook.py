"""A notebook's IPython, as far as foretell looks at it."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class FakeNotebook:
    """What a notebook would show.

    Attributes:
        shown: for each display its texts, one after another.
        pages: the same as HTML.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **shell: Any) -> None:
        self.shown: list[list[str]] = []
        self.pages: list[list[str]] = []
        ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
        ipython.get_ipython = lambda: SimpleNamespace(**shell)  # type: ignore[attr-defined]
        display.display = self._display  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    def _display(self, drawing: Any, *, display_id: bool) -> SimpleNamespace:
        assert display_id
        place = len(self.shown)
        self.shown.append([])
        self.pages.append([])
        self._update(place, drawing)
        return SimpleNamespace(update=lambda changed: self._update(place, changed))

    def _update(self, place: int, drawing: Any) -> None:
        self.shown[place].append(repr(drawing))
        self.pages[place].append(drawing._repr_html_())
