"""Warnings that point to the user's line, however deep in foretell they arise."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

from foretell.errors import SettingWarning

_listener: ContextVar[Callable[[str], object] | None] = ContextVar("listener", default=None)


def warn_of_setting(sentence: str) -> None:
    """A `SettingWarning` at the first line outside of foretell among the callers.

    Where somebody hears the warnings, they get the sentence in its place.
    """
    hear = _listener.get()
    if hear is not None:
        hear(sentence)
        return
    warnings.warn(sentence, SettingWarning, stacklevel=_level_of_user())


@contextmanager
def hearing(hear: Callable[[str], object]) -> Iterator[None]:
    """A block, and threads that it waits for by asyncio, whose warnings of settings go to `hear`.

    Python keeps each text that it has warned of, which is no good where strangers choose them.
    """
    before = _listener.set(hear)
    try:
        yield
    finally:
        _listener.reset(before)


def _level_of_user() -> int:
    """The `stacklevel` with which the caller's warning points to the first line outside of here."""
    frame: FrameType | None = sys._getframe(1)
    level = 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith("foretell."):
        frame, level = frame.f_back, level + 1
    return level
